const shown = element.querySelector('.panes'), grid = shown.querySelector('.grid'), below = shown.querySelector('.below');
let seen = '';
const zoom = zoomOf(grid, shown.querySelector('.bar'), event => event.target.closest('.view'),
  (event, spot) => spot.zoom > 1 || event.deltaY < 0);  // else the page scrolls on
const arrived = () => {
  shown.hidden = !props.value;
  if (!props.value) return;
  const {panes, spot, of, ratio, numbers} = JSON.parse(props.value);
  grid.style.setProperty('--ratio', ratio);
  grid.style.setProperty('--columns', panes.length === 4 ? 4 : 3);
  grid.replaceChildren(...panes.map(pane => {
    const figure = document.createElement('figure'), view = document.createElement('div'), image = new Image();
    const name = document.createElement('figcaption');
    view.className = 'view'; view.tabIndex = 0; view.setAttribute('role', 'img'); view.setAttribute('aria-label', pane.name);
    image.className = pane.crisp ? 'crisp' : ''; image.alt = ''; image.draggable = false; image.src = pane.source;
    name.textContent = pane.name;
    view.append(image); figure.append(view, name);
    return figure;
  }));
  below.innerHTML = numbers;
  if (seen === of) return;  // the same picture stays where a visitor moved it
  seen = of;
  zoom.set(...spot);
};
watch('value', arrived);
arrived();
