document.documentElement.classList.add('talk');
