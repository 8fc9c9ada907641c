const shown = element.querySelector('.compare'), frame = shown.querySelector('.frame');
const pictures = [...frame.querySelectorAll('img')], border = frame.querySelector('b'), names = [...shown.querySelectorAll('.name')];
let place = 50, grasped = false, seen = '', spotted = false;
const cut = ({x, zoom}) => {  // the border's place on the pictures, which may lie beside what is seen of them
  frame.style.setProperty('--cut', Math.min(100, Math.max(0, 100 * (x - 0.5 / zoom) + place / zoom)) + '%');
};
const zoom = zoomOf(frame, shown.querySelector('.bar'), event => event.target === border ? null : frame,
  event => event.ctrlKey,  // else the page scrolls; two fingers on a touchpad count as Ctrl
  cut);
const move = to => {
  place = Math.min(100, Math.max(0, to));
  frame.style.setProperty('--place', place + '%');
  cut(zoom.spot);
  border.setAttribute('aria-valuenow', Math.round(place));
  border.setAttribute('aria-valuetext', Math.round(place) + ' % ' + names[0].textContent);
};
const follow = event => {
  const box = frame.getBoundingClientRect();
  move(100 * (event.clientX - box.left) / box.width);
};
frame.addEventListener('pointerdown', event => {
  if (!event.isPrimary || event.button || (zoom.spot.zoom > 1 && event.target !== border)) return;
  grasped = true;
  frame.setPointerCapture(event.pointerId);
  border.focus({preventScroll: true});
  follow(event);
});
frame.addEventListener('pointermove', event => { if (grasped && event.isPrimary) follow(event); });
for (const end of ['pointerup', 'pointercancel']) frame.addEventListener(end, () => { grasped = false; });
border.addEventListener('keydown', event => {
  const steps = {ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100};
  if (!(event.key in steps) || event.shiftKey) return;  // with Shift the picture moves
  event.preventDefault();
  move(place + steps[event.key]);
});
const show = () => {
  frame.style.setProperty('--ratio', pictures[0].naturalWidth / pictures[0].naturalHeight || 1);
  shown.classList.toggle('few', pictures[0].naturalWidth < LARGE);  // pixels that one should see as such
};
pictures[0].addEventListener('load', show);
const arrived = () => {
  const value = props.value || '';
  shown.hidden = !value.startsWith('{');  // the empty frame of a run that could not begin
  if (shown.hidden) return;
  const state = JSON.parse(value);
  state.names.forEach((name, i) => { names[i].textContent = name; pictures[i].alt = name; });
  // a frame that came just before Stop may be shown once more after it
  const on = !state.run || [...(window.galleryRuns?.values() ?? [])].includes(state.run);
  shown.setAttribute('aria-busy', state.busy === 'true' && on);
  if (seen !== state.before) { seen = state.before; spotted = false; zoom.set(0.5, 0.5, 1); }
  if (state.spot && !spotted) { spotted = true; zoom.glide(...state.spot); }
  if ('strength' in state) frame.style.setProperty('--strength', state.strength);
  move(place);
  // decoded first, so that nothing flickers; of several on their way, the last one counts
  const sources = [state.before, state.after], copies = sources.map(source => Object.assign(new Image(), {src: source}));
  Promise.allSettled(copies.map(copy => copy.decode())).then(() => {
    if (props.value === value) sources.forEach((source, i) => { if (pictures[i].src !== source) pictures[i].src = source; });
  });
};
watch('value', arrived);
arrived();
