// A drawing board. MODES: name -> what one draws with (boards.Mode); MASKS: name -> label, and top, left, bottom, right of what is
// then unknown as shares of the side. Its value is one of two texts:
//   {"mode", "picture": a data URI, "example", "words"}                       a drawing
//   channels.side.pixels.mask[.example], pixels and bits of the mask in base64  a picture with a mask, of the mode "mask";
//                                                                               without a mask nothing is to be unknown
// What is unknown has no opacity, and the hatching behind the canvas shows through.
const canvas = element.querySelector('canvas'), context = canvas.getContext('2d', {willReadFrequently: true});
const frame = element.querySelector('.sheet i'), part = name => element.querySelector(`[data-part=${name}]`);
const width = element.querySelector('[type=range]'), picker = element.querySelector('[type=color]');
let name = '', mode = null, text = '', example = '', masked = false, channels = 3;
let tool = 'brush', ink = '#000000', widths = [1, 8];
let pixels = null, before = null, cover = null, from = null, box = null, grip = null, start = null;
const past = [], future = [];
const chip = (words, data) => {
  const button = Object.assign(document.createElement('button'), {type: 'button', textContent: words});
  Object.assign(button.dataset, data);
  return button;
};
const swatch = ([words, colour]) => {
  const button = chip(words, {ink: colour});
  if (colour) button.prepend(Object.assign(document.createElement('i'), {style: `background:${colour}`}));
  else button.classList.add('hatch');
  return button;
};
const fill = (group, chips) => {
  group.querySelectorAll('button').forEach(old => old.remove());
  if (group.dataset.part === 'masks') group.append(...chips); else group.prepend(...chips);
};
const choose = chosen => {  // the mode that the weights ask for
  name = chosen; mode = MODES[name];
  tool = Object.keys(mode.tools)[0]; ink = mode.ink; widths = [...mode.widths];
  fill(part('inks'), Object.entries(mode.inks).map(swatch));
  fill(part('tools'), Object.entries(mode.tools).map(([key, words]) => chip(words, {tool: key})));
  fill(part('masks'), Object.entries(MASKS).map(([key, [words]]) => chip(words, {mask: key})));
};
const mark = () => {
  canvas.dataset.mode = name;
  part('masks').hidden = !masked;
  picker.parentElement.hidden = !mode.picker || channels === 1;
  part('inks').hidden = !Object.keys(mode.inks).length && picker.parentElement.hidden;
  part('tools').hidden = Object.keys(mode.tools).length < 2;
  element.querySelectorAll('[data-tool]').forEach(one => one.setAttribute('aria-pressed', one.dataset.tool === tool));
  element.querySelectorAll('[data-ink]').forEach(one => {
    one.setAttribute('aria-pressed', one.dataset.ink === ink);
    one.hidden = !one.dataset.ink && !masked;
  });
  element.querySelector('[data-do=undo]').disabled = !past.length;
  element.querySelector('[data-do=redo]').disabled = !future.length;
  width.value = widths[tool === 'eraser' ? 1 : 0];
  width.disabled = tool === 'box';
  frame.hidden = !box;
  const share = value => 100 * value / canvas.width + '%';
  if (box) Object.assign(frame.style, {left: share(box.x), top: share(box.y), width: share(box.w), height: share(box.h)});
};
const show = () => context.putImageData(pixels, 0, 0);
const copy = () => ({data: new Uint8ClampedArray(pixels.data), example});
const remember = old => {
  past.push(old); future.length = 0;
  if (past.length > Math.max(8, Math.floor(2 ** 24 / pixels.data.length))) past.shift();
};

// ---- the two texts
const bytes = letters => Uint8Array.from(atob(letters), letter => letter.charCodeAt(0));
const base64 = values => btoa(Array.from(values, value => String.fromCharCode(value)).join(''));
const bare = () => {
  const bits = new Uint8Array(masked ? Math.ceil(pixels.data.length / 32) : 0), colours = [];
  for (let i = 0; i < pixels.data.length; i += 4) {
    for (let at = 0; at < channels; at++) colours.push(pixels.data[i + at]);
    if (masked && !pixels.data[i + 3]) bits[i >> 5] |= 1 << (7 - (i >> 2 & 7));
  }
  return [channels, canvas.width, base64(colours), base64(bits), ...(example ? [example] : [])].join('.');
};
const send = () => {
  show(); mark();
  const sheet = () => ({mode: name, picture: canvas.toDataURL('image/png'), example: Number(example || -1)});
  text = name === 'mask' ? bare() : JSON.stringify(sheet());
  props.value = text;
  trigger('drawn');
};
const arrange = (chosen, image, number) => {  // what the server put there
  if (!pixels || name !== chosen || canvas.width !== image.width) { past.length = 0; future.length = 0; }
  else if (pixels.data.some((value, i) => value !== image.data[i])) remember(copy());
  if (name !== chosen) choose(chosen);
  canvas.width = image.width; canvas.height = image.height;
  pixels = image; example = number;
  if (!masked && !ink) ink = mode.ink;
  box = null; from = null; before = null;
  show(); mark();
};
const read = value => {
  text = value;
  if (!value.startsWith('{')) {
    const [depth, side, colours, bits, number] = value.split('.'), values = bytes(colours), marks = bytes(bits);
    const image = new ImageData(Number(side), Number(side));
    channels = Number(depth); masked = bits !== '';
    for (let n = 0; n < side * side; n++) {
      for (let at = 0; at < 3; at++) image.data[4 * n + at] = values[channels === 1 ? n : 3 * n + at];
      image.data[4 * n + 3] = marks[n >> 3] >> (7 - (n & 7)) & 1 ? 0 : 255;
    }
    arrange('mask', image, number ?? '');
    return;
  }
  const sent = JSON.parse(value), image = new Image();
  image.onload = () => {
    if (text !== value) return;
    const size = [image.naturalWidth, image.naturalHeight], sheet = document.createElement('canvas');
    [sheet.width, sheet.height] = size;
    const drawn = sheet.getContext('2d');
    drawn.drawImage(image, 0, 0);
    channels = 3; masked = false;
    arrange(sent.mode, drawn.getImageData(0, 0, ...size), sent.example < 0 ? '' : String(sent.example));
  };
  image.src = sent.picture;
};

// ---- drawing
const rgb = colour => colour && [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16));
const put = (i, colour, share) => {
  if (!colour) { if (share > 0.5) pixels.data[i + 3] = 0; return; }
  const known = before[i + 3] > 0;  // a stroke over the unknown makes it known
  if (!known && share < 0.5) return;
  for (let at = 0; at < 3; at++) pixels.data[i + at] = (known ? before[i + at] : 0) * (1 - share) + colour[at] * share;
  pixels.data[i + 3] = 255;
};
// all pixels near the way from a to b; labels have hard edges, a pencil's are soft as in the training drawings
const line = (a, b) => {
  const side = canvas.width, colour = rgb(tool === 'eraser' ? mode.ground : ink);
  const reach = mode.reach.length ? mode.reach[ink && ink !== mode.ground ? 0 : 1] * side : width.value / 2 + 0.9;
  const dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy || 1;
  const low = value => Math.max(0, Math.floor(value - reach - 1)), high = value => Math.min(side, Math.ceil(value + reach + 1));
  for (let y = low(Math.min(a.y, b.y)); y < high(Math.max(a.y, b.y)); y++)
    for (let x = low(Math.min(a.x, b.x)); x < high(Math.max(a.x, b.x)); x++) {
      const px = x + 0.5 - a.x, py = y + 0.5 - a.y, along = Math.min(1, Math.max(0, (px * dx + py * dy) / square));
      let share = Math.min(1, Math.max(0, reach - Math.hypot(px - along * dx, py - along * dy)));
      if (mode.hard) share = share > 0.5 ? 1 : 0;
      const i = side * y + x;
      if (share > cover[i]) { cover[i] = share; put(4 * i, colour, share); }
    }
};
const fillBox = () => {
  const side = canvas.width, colour = rgb(box.ink);
  pixels.data.set(before);
  for (let y = Math.max(0, box.y); y < Math.min(side, box.y + box.h); y++)
    for (let x = Math.max(0, box.x); x < Math.min(side, box.x + box.w); x++) put(4 * (side * y + x), colour, 1);
};
const place = event => {
  const bounds = canvas.getBoundingClientRect(), scale = canvas.width / bounds.width;
  return {x: (event.clientX - bounds.left) * scale, y: (event.clientY - bounds.top) * scale};
};
const within = at => box && at.x >= box.x && at.x < box.x + box.w && at.y >= box.y && at.y < box.y + box.h;
const move = at => {
  if (tool !== 'box') { line(from, at); from = at; }
  else if (grip) { box.x = Math.round(at.x - grip.x); box.y = Math.round(at.y - grip.y); fillBox(); }
  else {
    const edge = value => Math.min(canvas.width, Math.max(0, Math.round(value)));
    const [left, right] = [edge(from.x), edge(at.x)].sort((a, b) => a - b);
    const [top, bottom] = [edge(from.y), edge(at.y)].sort((a, b) => a - b);
    box = {x: left, y: top, w: right - left, h: bottom - top, ink};
    fillBox();
  }
  show(); mark();
};
canvas.addEventListener('pointerdown', event => {
  if (!event.isPrimary || event.button || !pixels) return;
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  from = place(event); start = copy();
  grip = tool === 'box' && within(from) ? {x: from.x - box.x, y: from.y - box.y} : null;
  if (!grip) { before = start.data; cover = new Float32Array(canvas.width * canvas.height); box = null; }
  if (tool !== 'box') move(from);
});
canvas.addEventListener('pointermove', event => {
  if (from && event.isPrimary) {
    // a quick hand: all the places in between, not the last alone
    const places = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    (tool !== 'box' && places.length ? places : [event]).forEach(each => move(place(each)));
  } else canvas.style.cursor = tool === 'box' && within(place(event)) ? 'move' : 'crosshair';
});
for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, event => {
  if (!from || !event.isPrimary) return;
  from = null; grip = null;
  if (box && (box.w < 2 || box.h < 2)) { box = null; pixels.data.set(before); show(); mark(); }
  if (!pixels.data.some((value, i) => value !== start.data[i])) return;
  remember(start);
  if (ink) example = '';  // with a part unknown it is still that example
  send();
});
const step = (here, there) => {
  if (!here.length) return;
  there.push(copy());
  const then = here.pop();
  pixels.data.set(then.data); example = then.example;
  box = null;
  send();
};
const over = change => { remember(copy()); change(); box = null; send(); };
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (!button || !pixels) return;
  const wanted = button.dataset, side = canvas.width;
  if (wanted.tool) { tool = wanted.tool; box = null; }
  else if ('ink' in wanted) { ink = wanted.ink; if (tool === 'eraser') tool = 'brush'; box = null; }
  else if (wanted.mask) over(() => {
    const [top, left, bottom, right] = MASKS[wanted.mask].slice(1).map(share => Math.round(share * side));
    for (let i = 0; i < side * side; i++) {
      const row = Math.floor(i / side), column = i % side;
      pixels.data[4 * i + 3] = row >= top && row < bottom && column >= left && column < right ? 0 : 255;
    }
  });
  else if (wanted.do === 'undo') step(past, future);
  else if (wanted.do === 'redo') step(future, past);
  else over(() => {
    const ground = [...rgb(mode.ground), 255];
    for (let i = 0; i < pixels.data.length; i += 4) pixels.data.set(ground, i);
    example = '';
  });
  mark();
});
width.addEventListener('input', () => { widths[tool === 'eraser' ? 1 : 0] = Number(width.value); });
picker.addEventListener('input', () => { ink = picker.value; if (tool === 'eraser') tool = 'brush'; mark(); });
const arrived = () => { if (props.value && props.value !== text) read(props.value); };
watch('value', arrived);
arrived();
