(sent) => {
  if (!sent) return;
  const at = sent.indexOf('|');
  const link = document.createElement('a');
  link.download = sent.slice(0, at);
  link.href = sent.slice(at + 1);
  document.body.appendChild(link); link.click(); link.remove();
}
