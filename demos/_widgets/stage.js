document.documentElement.classList.add('talk');
// where the room begins, which its style asks for: controls that are taller than the rest of the screen scroll by themselves
new ResizeObserver(() => {
  const room = [...document.querySelectorAll('.room')].find(found => found.offsetParent);
  if (room) document.documentElement.style.setProperty('--room-top', `${room.getBoundingClientRect().top + scrollY}px`);
}).observe(document.documentElement);
