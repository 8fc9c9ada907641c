const home = element.querySelector('.home'), field = home.querySelector('input[type=search]');
const cards = [...home.querySelectorAll('.card')], chips = [...home.querySelectorAll('[data-filter]')];
const nothing = home.querySelector('.nothing');
let family = '';
// a part of a title, or the beginning of any other word
const title = card => card.querySelector('strong').textContent.toLowerCase();
const found = (card, word) => title(card).includes(word) || card.dataset.words.includes(' ' + word);
const find = () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const card of cards) {
    card.hidden = (family && card.dataset.family !== family) || !words.every(word => found(card, word));
    left += !card.hidden;
  }
  nothing.hidden = left > 0;
};
field.addEventListener('input', find);
for (const chip of chips) chip.addEventListener('click', () => {
  family = chip.dataset.filter;
  for (const other of chips) other.setAttribute('aria-pressed', other === chip);
  find();
});
find();  // what was typed before this script came, or was kept by the browser
