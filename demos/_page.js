() => {
  // a refusal by an event that bypasses the queue reaches the page, which does not show it; so this does
  let notice, until;
  const refuse = sentence => {
    if (!notice) {
      notice = document.body.appendChild(document.createElement('button'));
      notice.className = 'refusal';
      notice.title = 'Close';
      notice.setAttribute('role', 'alert');
      notice.addEventListener('click', () => { notice.hidden = true; });
    }
    notice.textContent = sentence;  // one at a time: a slider that is dragged may be refused many times
    notice.hidden = false;
    clearTimeout(until);
    until = setTimeout(() => { notice.hidden = true; }, 10000);
  };
  const ask = window.fetch;
  window.fetch = async (...request) => {
    const answer = await ask(...request);
    if (answer.status === 500 && answer.url.includes('/run/')) {
      answer.clone().json().then(told => { if (told.error) refuse(told.error); }).catch(() => {});
    }
    return answer;
  };
  // a saved picture dropped anywhere but on an upload field goes the way of "Open a saved picture"
  const field = event => event.target.closest?.('.block')?.querySelector('input[type=file]');
  const files = event => Array.from(event.dataTransfer?.types ?? []).includes('Files');
  document.addEventListener('dragover', event => { if (files(event) && !field(event)) event.preventDefault(); });
  document.addEventListener('drop', event => {
    if (!files(event) || field(event)) return;
    event.preventDefault();
    const input = document.querySelector('.open-saved')?.parentElement?.querySelector('input[type=file]');
    if (!input) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event('change', {bubbles: true}));
  });
}
