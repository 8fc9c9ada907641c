document.addEventListener('gallery:keep', ({detail}) => { if (NAMES.includes('keep_' + detail)) trigger('keep_' + detail); });
