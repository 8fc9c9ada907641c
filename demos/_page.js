() => {
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
