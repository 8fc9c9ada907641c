const runs = window.galleryRuns ??= new Map();
const start = () => {
  const on = Boolean(props.value) && !window.galleryStopped?.();
  if (RUN) {
    runs.set(RUN, props.value || '');
    window.galleryHalted?.delete(RUN);
    window.galleryFields?.delete(RUN);
    document.getElementById(RUN)?.setAttribute('aria-busy', String(on));
  }
  if (!on) return;
  const begun = props.value;
  setTimeout(() => { if (props.value === begun) trigger('submit'); });  // other choices of a field arrive a moment after plain values
};
watch('value', start);
start();
