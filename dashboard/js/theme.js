// Light, dark or the system's. A classic script in the head: the choice holds before the first paint.
// Knows nothing of the views.
(function () {
  'use strict';
  const kNames = ['system', 'light', 'dark'];
  const kPlace = 'leadline.theme';
  let name = '';
  try {
    name = localStorage.getItem(kPlace);
  } catch {
    name = '';  // Storage is switched off.
  }
  if (!kNames.includes(name)) name = 'system';
  const apply = () => { document.documentElement.dataset.theme = name; };
  apply();
  window.leadlineTheme = {
    name: () => name,
    next() {
      name = kNames[(kNames.indexOf(name) + 1) % kNames.length];
      apply();
      try {
        localStorage.setItem(kPlace, name);
      } catch {
        return;
      }
    },
  };
})();
