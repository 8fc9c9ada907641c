// a frame names the run that it is of; that of an older run than the view's latest came late and is not shown
const latest = window.galleryRuns ??= new Map();
const halted = window.galleryHalted ??= new Map();  // view -> the run that Stop ended, until another one begins or a field changes
window.galleryStop ??= run => {
  const on = Boolean(latest.get(run));
  if (on) halted.set(run, latest.get(run));
  latest.set(run, '');
  const shown = document.getElementById(run);
  for (const busy of shown ? [shown, ...shown.querySelectorAll('[aria-busy=true]')] : []) busy.setAttribute('aria-busy', 'false');
  return on;
};
let good = props.value;
const guard = () => {
  const sent = props.value || '';
  const stamp = /^<!--run (\S+) (busy|done|stopped)(?: (\[.*?\]))?-->/.exec(sent) ?? /^\{"run": "([^"]*)"/.exec(sent);
  // the server may hear of Stop before the page does
  if (stamp?.[2] === 'stopped' && latest.get(RUN) === stamp[1]) window.galleryStop(RUN);
  if (stamp && (stamp[2] === 'stopped' ? halted : latest).get(RUN) !== stamp[1]) {
    if (props.value !== good) props.value = good;
    return;
  }
  good = props.value;
  const sets = stamp?.[3] ? JSON.parse(stamp[3]) : sent.startsWith('{"run": ') ? JSON.parse(sent).sets : null;
  if (sets) {  // fields that are set with this frame
    (window.galleryFields ??= new Map()).set(RUN, sets);
    trigger('fields');
  }
  if (stamp?.[2] !== 'done') return;
  latest.set(RUN, '');
  document.getElementById(RUN)?.setAttribute('aria-busy', 'false');
};
watch('value', guard);
