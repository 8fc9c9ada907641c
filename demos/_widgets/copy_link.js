async link => {
  window.history.replaceState(null, '', link);
  try {
    await navigator.clipboard.writeText(link.href);
    return 'Link copied';
  } catch {}  // not allowed, as in most frames, or not there, as at an address without https
  const field = document.body.appendChild(document.createElement('input'));
  field.className = 'copied-link';
  field.readOnly = true;
  field.setAttribute('aria-label', 'Link to this room');
  field.value = link.href;
  field.select();
  if (document.execCommand('copy')) {
    field.remove();
    return 'Link copied';
  }
  if (window.self === window.top) {
    field.remove();
    return 'Link is in the address bar';
  }
  // the address bar shows the page around the frame
  field.addEventListener('blur', () => field.remove());
  field.addEventListener('keydown', event => { if (event.key === 'Escape') field.remove(); });
  return 'Copy it from the field';
}
