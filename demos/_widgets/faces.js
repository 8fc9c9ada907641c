{  // under a comparison: frames around the faces that were found, each with a box to tick if it can be restored
  const part = element.querySelector('.faces'), found = part.querySelector('.found'), choose = part.querySelector('.choose');
  const image = found.querySelector('img'), warning = part.querySelector('.warning');
  let built = '';
  const boxes = () => [...choose.querySelectorAll('input')];
  const frame = number => found.querySelector(`[data-number="${number}"]`);
  const tick = () => {
    for (const box of boxes()) frame(box.value).className = box.checked ? 'taken' : 'left';
    const on = boxes().filter(box => box.checked).map(box => box.value);
    trigger('pick', {chosen: on.length === boxes().length ? 'all' : on.join(',') || 'none'});
  };
  choose.addEventListener('change', tick);
  found.addEventListener('click', event => {
    const box = boxes().find(each => each.value === event.target.closest('i')?.dataset.number);
    if (box) { box.checked = !box.checked; tick(); }
  });
  const build = marks => {
    found.replaceChildren(image, ...marks.map(({number, box: [left, top, width, height], fit}) => {
      const mark = document.createElement('i'), name = document.createElement('b');
      Object.assign(mark.style, {left: left + '%', top: top + '%', width: width + '%', height: height + '%'});
      mark.dataset.number = number; mark.classList.toggle('fit', fit); name.textContent = number;
      mark.append(name);
      return mark;
    }));
    choose.replaceChildren(...marks.filter(mark => mark.fit).map(({number, side}) => {
      const label = document.createElement('label'), box = document.createElement('input');
      box.type = 'checkbox'; box.value = number;
      label.append(box, ` ${number}: ${side} px`);
      return label;
    }));
  };
  const arrived = () => {
    const {before, ratio, marks, warning: words} = props.value ? JSON.parse(props.value) : {};
    part.hidden = !marks;
    if (!marks) return;
    found.hidden = !marks.length;
    choose.hidden = !marks.some(mark => mark.fit);
    if (image.src !== before) image.src = before;
    found.style.setProperty('--ratio', ratio);
    const now = JSON.stringify(marks.map(({on, ...rest}) => rest));
    if (now !== built) build(marks);
    built = now;
    for (const {number, fit, on} of marks) frame(number).className = fit && on ? 'taken' : 'left';
    for (const box of boxes()) box.checked = marks.find(mark => String(mark.number) === box.value).on;
    warning.textContent = words;
    warning.hidden = !words;
  };
  watch('value', arrived);
  arrived();
}
