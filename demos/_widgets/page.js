() => {
  const LONGEST = 6000;  // characters of a state in the address
  // a refusal by an event that bypasses the queue reaches the page, which does not show it; so this does
  let notice, until;
  const refuse = sentence => {
    if (!notice) {
      notice = document.body.appendChild(document.createElement('button'));
      notice.className = 'refusal';
      notice.title = 'Close';
      notice.setAttribute('role', 'alert');
      notice.addEventListener('click', () => { notice.hidden = true; });
    }
    notice.textContent = sentence;  // one at a time: a slider that is dragged may be refused many times
    notice.hidden = false;
    clearTimeout(until);
    until = setTimeout(() => { notice.hidden = true; }, 10000);
  };
  // "Paste from clipboard" says nothing where the browser, or the visitor whom it asks, forbids it, or where there is none at all
  window.addEventListener('unhandledrejection', event => {
    const {name, message} = event.reason ?? {};
    if (name !== 'NotAllowedError' && (navigator.clipboard || !/\bread\b/.test(message))) return;
    event.preventDefault();
    refuse('The browser does not let this page read what you copied; upload the picture as a file.');
  });
  // too large a file is refused before it is on its way
  for (const kind of ['change', 'drop', 'paste']) {
    document.addEventListener(kind, event => {
      const field = event.target.type === 'file' ? event.target : null;
      const files = [...(field ?? event.dataTransfer ?? event.clipboardData)?.files ?? []];
      const large = files.find(file => file.size > MAX_UPLOAD);
      if (files.length) {  // what messages say is of an earlier file
        if (notice) notice.hidden = true;
        document.querySelectorAll('[data-testid=toast-close]').forEach(close => close.click());
      }
      if (!large) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (field) field.value = '';
      refuse(`${large.name} has ${(large.size / 1e6).toFixed(1)} MB; the gallery takes files of up to ${MAX_UPLOAD / 1e6} MB.`);
    }, true);
  }
  // a browser whose language has a decimal point drops a comma without a word, and 1,5 would become 15
  document.addEventListener('beforeinput', event => {
    const field = event.target, typed = event.data ?? '';
    if (field?.type !== 'number' || !typed.includes(',') || (1.5).toLocaleString().includes(',')) return;
    event.preventDefault();
    const last = Math.max(typed.lastIndexOf(','), typed.lastIndexOf('.'));  // the others part the thousands
    document.execCommand('insertText', false, typed.slice(0, last).replace(/[.,]/g, '') + '.' + typed.slice(last + 1));
  });
  // what is no number yet, such as "-", the page would take for an empty field, and empty it while the visitor types on
  document.addEventListener('input', event => {
    if (event.target.type === 'number' && event.target.validity.badInput) event.stopImmediatePropagation();
  }, true);
  // nor may "1" be put where the visitor has come to "1.", which is the same value: the rest would be typed in front of it
  const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
  Object.defineProperty(HTMLInputElement.prototype, 'value', {...value, set(given) {
    const typing = this.type === 'number' && this === document.activeElement;
    if (!typing || given === '' || String(given) !== this.value) value.set.call(this, given);
  }});
  document.addEventListener('focusout', event => {
    if (event.target.type !== 'number' || !event.target.validity.badInput) return;
    event.target.value = '';
    event.target.dispatchEvent(new Event('input', {bubbles: true}));
  });
  // on a stage: where no word of a result has come for a while, a prepared one stands in its place until it comes
  const stage = () => document.querySelector('[data-late]');
  const awaited = new Map(), late = new Set();
  const expect = () => {
    const wait = {};
    wait.timer = setTimeout(() => { late.add(wait); stand(); }, Number(stage().dataset.late));
    return wait;
  };
  const arrived = wait => {
    if (!wait) return;
    clearTimeout(wait.timer);
    late.delete(wait);
    stand();
  };
  const stand = () => {
    const before = document.querySelector('.prepared');
    if (!late.size) { before?.remove(); return; }
    const room = here();
    const place = seen('.room > :last-child');
    if (before || !place || !room) return;
    const shown = document.createElement('figure'), words = document.createElement('figcaption'), picture = new Image();
    shown.className = 'prepared';
    words.textContent = stage().dataset.mark;
    picture.alt = '';
    picture.addEventListener('error', () => shown.remove());
    picture.src = 'prepared/' + room + '.webp';
    shown.append(words, picture);
    place.classList.add('holds-prepared');
    place.append(shown);
  };
  // how long the last action took, from the request to its last answer, as the visitor waited for it
  const begun = new Map();
  let clock;
  const took = start => {
    keep();
    if (!clock) {
      clock = document.body.appendChild(document.createElement('output'));
      clock.className = 'latency';
      clock.title = 'From the last request to its answer';
    }
    const passed = performance.now() - start;
    clock.textContent = passed < 1000 ? Math.round(passed) + ' ms' : (passed / 1000).toFixed(1) + ' s';
  };
  const note = line => {
    if (!/^data:.*"process_(generating|completed)"/.test(line)) return;
    const {event_id: event, msg} = JSON.parse(line.slice(5));
    arrived(awaited.get(event));
    awaited.delete(event);
    if (msg !== 'process_completed') return;
    if (begun.has(event)) took(begun.get(event));
    begun.delete(event);
  };
  // the stream of answers ends when none is awaited; what is asked for while the word of its end is on its way would never be
  // answered, as the page takes the stream for open: so it goes on in a new one
  const lasting = (stream, again) => {
    let reader, lost = [];
    const pull = async out => {
      let text = '', end = '';
      reader = stream.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const {done, value} = await reader.read();
        if (done) break;
        const lines = (text + value).split('\n');
        text = lines.pop();
        lines.forEach(note);
        const last = lines.findIndex(line => /^data:.*"close_stream"/.test(line));
        if (last >= 0) end = lines.splice(last).join('\n') + '\n\n';
        if (lines.length) out.enqueue(new TextEncoder().encode(lines.join('\n') + '\n'));
      }
      if (end) {
        while (joins.size) await Promise.all(joins);
        lost.forEach(event => begun.delete(event));  // those of which not even a new stream knew
        lost = [...begun.keys()];
        const next = lost.length ? await again() : null;
        if (next?.ok && next.body) { stream = next.body; return pull(out); }
        out.enqueue(new TextEncoder().encode(end));
      }
      out.close();
    };
    return new ReadableStream({
      start(out) { pull(out).catch(error => out.error(error)); },  // a visitor who leaves cuts it off
      cancel(reason) { return reader?.cancel(reason); },
    });
  };
  // Stop ends what was asked for before it, even what has not begun yet: work on its way to its beginning does not begin, and a
  // request whose name has not come yet is cancelled when it comes
  let acted = 0, stopped = 0;
  const acts = event => {
    if (event.target.closest?.('button.stop')) stopped = performance.now(); else acted = performance.now();
    keep();
  };
  for (const kind of ['pointerdown', 'click', 'keydown', 'input', 'change', 'drop', 'paste']) {
    document.addEventListener(kind, acts, true);
  }
  window.galleryStopped = () => stopped > acted;
  const joining = new Map(), joins = new Set();
  const parsed = text => { try { return JSON.parse(text); } catch { return null; } };
  const ask = window.fetch;
  window.fetch = async (...request) => {
    const start = performance.now(), path = String(request[0]?.url ?? request[0]).split('?')[0];
    const sent = /\/(queue\/join|cancel|reset)$/.test(path) ? parsed(request[1]?.body) : null;
    let joined = () => {};
    if (sent && path.endsWith('/join')) {
      const name = new Promise(done => { joined = done; });
      joining.set(sent.fn_index, name);
      joins.add(name);
      name.then(() => joins.delete(name));
    } else if (sent && sent.event_id === null) {
      const event = path.endsWith('/cancel') ? await joining.get(sent.fn_index) : null;
      if (!event) return new Response('{"success": true}', {headers: {'Content-Type': 'application/json'}});
      request[1] = {...request[1], body: JSON.stringify({...sent, event_id: event})};
    }
    const waits = stage() && here() && /\/(queue\/join|run\/)/.test(path) ? expect() : null;
    let answer;
    if (path.includes('/run/')) {  // its refusal comes as a success, which the browser does not note as an error of the page
      const headers = new Headers(request[1]?.headers);
      headers.set('X-Refused', '1');
      request[1] = {...request[1], headers};
    }
    try { answer = await ask(...request); } finally { if (!answer?.ok) joined(null); }
    const refused = answer.headers.get('X-Refused');
    if (refused) answer = new Response(answer.body, {status: Number(refused), headers: answer.headers});
    if (!answer.ok || path.includes('/run/')) arrived(waits);
    // what is cancelled never comes
    if (path.endsWith('/cancel')) for (const wait of [...awaited.values()]) arrived(wait);
    if (answer.status === 500 && path.includes('/run/')) {
      answer.clone().json().then(said => { if (said.error) refuse(said.error); }).catch(() => {});
    } else if (path.includes('/run/') && answer.ok) {
      took(start);
    } else if (path.endsWith('/queue/join') && answer.ok) {
      answer.clone().json().then(({event_id: event}) => {
        begun.set(event, start);
        awaited.set(event, waits);
        joined(event);
      }).catch(() => joined(null));
    } else if (path.endsWith('/queue/data') && answer.body) {
      const body = lasting(answer.body, () => ask(...request));
      return new Response(body, {status: answer.status, statusText: answer.statusText, headers: answer.headers});
    }
    return answer;
  };
  // a saved picture dropped anywhere but on an upload field goes the way of "Open a saved picture"
  const field = event => event.target.closest?.('.block')?.querySelector('input[type=file]');
  const files = event => Array.from(event.dataTransfer?.types ?? []).includes('Files');
  document.addEventListener('dragover', event => { if (files(event) && !field(event)) event.preventDefault(); });
  document.addEventListener('drop', event => {
    if (!files(event) || field(event)) return;
    event.preventDefault();
    const input = document.querySelector('.open-saved')?.parentElement?.querySelector('input[type=file]');
    if (!input) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event('change', {bubbles: true}));
  });

  // long formulas and tables scroll within their accordion: by keys, too, once these can reach them
  // each is looked at whenever its size changes, and each accordion for what comes into it: all of it comes after it was opened
  const reach = new ResizeObserver(changed => changed.forEach(({target}) => {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0; else target.removeAttribute('tabindex');
  }));
  const opened = new WeakSet();
  document.addEventListener('click', event => {
    const accordion = event.target.closest?.('button.label-wrap')?.closest('.block');
    if (!accordion || opened.has(accordion)) return;
    opened.add(accordion);
    const parts = '[data-testid=accordion-content] .block.auto-margin';
    const look = () => accordion.querySelectorAll(parts).forEach(part => reach.observe(part));
    new MutationObserver(look).observe(accordion, {childList: true, subtree: true});
    look();
  });

  window.galleryTick = (room, number) => {
    document.querySelectorAll(`.tour[data-room="${room}"] input`)[number].checked = true;
  };

  // ---- from room to room, by cards, keys and the browser's own way back; the address says which room it is, and what it holds
  const seen = query => [...document.querySelectorAll(query)].find(found => found.offsetParent);
  const list = () => document.querySelector('[data-rooms]')?.dataset ?? {};
  const rooms = () => (list().rooms ?? '').split(' ').filter(Boolean);
  const here = () => seen('.room-header')?.dataset.room ?? '';
  const query = name => new URLSearchParams(window.location.search).get(name);
  const first = () => stage() ? '' : rooms()[0] ?? '';
  const named = () => rooms().includes(query('room')) ? query('room') : first();
  const states = new Map([[named(), query('state') ?? '']]);
  const address = room => {
    const link = new URL(window.location.href);
    link.search = link.hash = '';
    if (room) link.searchParams.set('room', room);
    if (states.get(room)) link.searchParams.set('state', states.get(room));
    return link;
  };
  window.galleryEntered = (room, remember = true) => {
    if (remember && room !== named()) window.history.pushState(null, '', address(room));
    const tab = document.querySelector(`[role=tab][data-tab-id="${room}"]`), title = document.title.split(' · ').pop();
    document.title = room && tab ? tab.textContent.trim() + ' · ' + title : title;
    keep();
  };
  const go = (room, remember = true) => {
    document.dispatchEvent(new CustomEvent('gallery:go', {detail: room}));
    window.galleryEntered(room, remember);
    window.scrollTo({top: 0});
  };
  // a while after the last action, and after each answer, what the controls hold is asked for
  let due;
  const keep = () => {
    clearTimeout(due);
    due = setTimeout(() => {
      if (acted && here()) document.dispatchEvent(new CustomEvent('gallery:keep', {detail: here()}));
    }, 400);
  };
  window.galleryKeep = (room, before, values) => {
    const state = Object.fromEntries(Object.keys(before).map((key, place) => [key, values[place]]));
    const changed = Object.keys(before).some(key => JSON.stringify(state[key]) !== JSON.stringify(before[key]));
    let text = changed ? JSON.stringify(state) : '';
    // a drawing is too long for an address, unless "Copy link" put it there; the other controls are kept
    if (text && text === query('state')) states.set(room, text);
    else if (text.length > LONGEST) text = JSON.stringify(state, (_, value) => value?.length > LONGEST / 8 ? undefined : value);
    if (states.get(room) === text || text.length > LONGEST) return;
    states.set(room, text);
    if (room === here()) window.history.replaceState(window.history.state, '', address(room));
  };
  document.addEventListener('click', event => {
    const link = event.target.closest?.('a[data-room]');
    if (!rooms().includes(link?.dataset.room) || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(link.dataset.room);
  });
  window.addEventListener('popstate', () => go(named(), false));
  // on a phone, the bar of pages is longer than the screen
  const current = document.querySelector('.masthead nav [aria-current]');
  if (current) current.parentElement.scrollLeft = current.offsetLeft - current.parentElement.clientWidth / 2;
  // a picture that is picked: the arrows go to the one beside it, though the grid is written anew meanwhile
  let pick = null;
  const picked = () => pick && [...document.querySelectorAll(`[id="${pick.grid}"] .tile`)].find(one => one.dataset.index === pick.index && one.offsetParent);
  document.addEventListener('click', event => {
    const tile = event.target.closest?.('.tile');
    pick = tile ? {grid: tile.closest('.block[id]').id, index: tile.dataset.index} : null;
  }, true);
  let dark;
  document.addEventListener('keydown', event => {
    // a clicker's keys, wherever the focus is
    if (!stage() || event.target.closest?.('input:not([type=range]), textarea, dialog')) return;
    const step = {PageDown: 1, PageUp: -1}[event.key];
    if (step) {
      const all = rooms(), at = all.indexOf(here());
      event.preventDefault();
      go(all[Math.max(0, Math.min(all.length - 1, at < 0 && step < 0 ? 0 : at + step))]);
    } else if (event.key === 'b' || event.key === '.') {
      if (dark) dark.remove();
      dark = dark ? null : document.body.appendChild(Object.assign(document.createElement('div'), {className: 'dark-screen'}));
    }
  });
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented) return;
    if (event.target.closest?.('input, textarea, select, canvas, dialog, [contenteditable=true], [role=slider], [role=tab], [tabindex="0"]')) return;
    const press = query => {
      const found = [...document.querySelectorAll(query)].find(button => button.offsetParent && !button.disabled);
      if (found) { event.preventDefault(); found.click(); }
    };
    if (/^Arrow(Left|Right)$/.test(event.key) && picked()) {
      event.preventDefault();
      const tiles = [...picked().parentElement.querySelectorAll('.tile')];
      const next = tiles[tiles.indexOf(picked()) + (event.key === 'ArrowRight' ? 1 : -1)];
      next?.focus();
      next?.click();
    } else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      const step = event.key === 'ArrowRight' ? 1 : -1, all = stage() ? ['', ...rooms()] : rooms(), at = all.indexOf(here()) + step;
      if (stage()) go(all.at(at % all.length));
      else if (at in all) go(all[at]);
      else window.location.assign(new URL(step > 0 ? list().after : list().before, document.baseURI));
    } else if (event.key === 'r') {
      press('button.dice');
    } else if (event.key === 'f') {
      const asked = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.();
      asked?.catch(() => {});  // a browser may refuse; then the page stays as it is
    } else if (event.key === ' ' && !event.target.closest?.('button, a, summary')) {
      press('button.stop');
    }
  });
}
