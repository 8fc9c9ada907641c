// a picture in which one points at a place: across and down as shares of its sides
element.addEventListener('click', event => {
  const picture = event.target.closest('.picture');
  if (!picture) return;
  const box = picture.getBoundingClientRect();
  const share = (at, low, size) => Math.min(1, Math.max(0, (at - low) / size));
  trigger('place', {across: share(event.clientX, box.left, box.width), down: share(event.clientY, box.top, box.height)});
});
