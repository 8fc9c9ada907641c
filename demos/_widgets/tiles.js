element.addEventListener('click', event => {
  const tile = event.target.closest('[data-index]');
  if (tile) trigger('pick', {index: Number(tile.dataset.index)});
});
