const TEXTS = '.prose, .info-text', LEFT_OUT = 'a, button, summary, code, pre, svg, h1, h2, .katex, .term, .room-header, .tour, .home';
const any = new RegExp(TERMS, 'gi'), tip = document.createElement('div');

// the first time in a text that a term occurs
const mark = text => {
  const known = new Set([...text.querySelectorAll('.term')].map(term => term.dataset.term)), nodes = [];
  const walk = document.createTreeWalker(text, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, node =>
    node.nodeType === Node.ELEMENT_NODE && node.matches(LEFT_OUT) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  while (walk.nextNode()) if (walk.currentNode.nodeType === Node.TEXT_NODE) nodes.push(walk.currentNode);
  for (let node of nodes) {
    any.lastIndex = 0;
    for (let found; (found = any.exec(node.data)); ) {
      const number = String(found.slice(1).findIndex(Boolean));
      if (known.has(number)) continue;
      known.add(number);
      const term = document.createElement('span'), words = node.splitText(found.index);
      node = words.splitText(found[0].length);
      any.lastIndex = 0;
      term.className = 'term';
      term.dataset.term = number;
      term.tabIndex = 0;
      term.setAttribute('role', 'button');
      words.replaceWith(term);
      term.append(words);
    }
  }
};
const markWithin = part => {
  const text = part.closest(TEXTS);
  for (const one of text ? [text] : part.querySelectorAll(TEXTS)) if (!one.closest(LEFT_OUT)) mark(one);
};

let shown;
const place = () => {
  if (!shown) return;
  const at = shown.getBoundingClientRect();
  tip.style.left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 8)) + 'px';
  tip.style.top = (at.bottom + tip.offsetHeight < window.innerHeight ? at.bottom : at.top - tip.offsetHeight) + 'px';
};
const show = term => {
  if (term === shown) return;
  shown?.removeAttribute('aria-describedby');
  shown = term;
  tip.hidden = !term;
  if (!term) return;
  tip.textContent = SAYS[term.dataset.term];
  term.setAttribute('aria-describedby', tip.id);
  place();
};
const termAt = event => event.target.closest?.('.term') ?? null;

tip.id = tip.className = 'term-says';
tip.setAttribute('role', 'tooltip');
tip.hidden = true;
document.body.append(tip);
document.addEventListener('mouseover', event => {
  if (event.target !== tip) show(termAt(event) ?? document.activeElement.closest('.term'));
});
document.addEventListener('focusin', event => show(termAt(event)));
document.addEventListener('click', event => {
  const term = termAt(event);
  if (term) event.preventDefault();  // a label around it would take the click for its field's
  if (event.target !== tip) show(term);
});
document.addEventListener('keydown', event => { if (event.key === 'Escape') show(null); });
document.addEventListener('scroll', place, true);
markWithin(document.body);
new MutationObserver(changes => {
  const parts = changes.map(({target}) => target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement);
  new Set(parts).forEach(part => part?.isConnected && markWithin(part));
  if (shown && !shown.isConnected) show(null);
}).observe(document.body, {childList: true, characterData: true, subtree: true});
