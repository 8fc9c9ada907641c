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
  trigger('submit');
};
watch('value', start);
start();
