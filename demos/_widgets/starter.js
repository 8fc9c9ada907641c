const start = () => {
  if (!props.value || window.galleryStopped?.()) return;
  document.querySelectorAll('[data-stopped]').forEach(shown => shown.removeAttribute('data-stopped'));
  trigger('submit');
};
watch('value', start);
start();
