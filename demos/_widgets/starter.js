const runs = window.galleryRuns ??= new Map();
const start = () => {
  if (RUN) runs.set(RUN, props.value || '');
  if (!props.value || window.galleryStopped?.()) return;
  document.querySelectorAll('[data-stopped]').forEach(shown => shown.removeAttribute('data-stopped'));
  if (RUN) document.getElementById(RUN)?.setAttribute('aria-busy', 'true');
  trigger('submit');
};
watch('value', start);
start();
