(svg) => {
  if (!svg) return;
  const shown = document.createElement('dialog');
  shown.className = 'qr';
  const box = new DOMParser().parseFromString(svg, 'text/html').body;
  shown.append(...box.childNodes);
  shown.addEventListener('click', () => shown.close());
  shown.addEventListener('close', () => shown.remove());
  document.body.appendChild(shown);
  shown.showModal();
}
