// Filters, sorting and keys of the page of a matrix run. Without it the page can be read as it is.
'use strict';
(() => {
  const form = document.getElementById('filters');
  const search = document.getElementById('search');
  const shown = document.getElementById('shown');
  const body = document.querySelector('tbody');
  // What the address has after `#` while a filter is set: `#?outcome=failed&text=switch`.
  const FILTER = '#?';

  // A check is its row, and its article in the details if it has one.
  const checks = [...body.rows].map((row) => {
    const article = document.getElementById(`case-${row.dataset.number}`);
    const differences = article?.querySelector('.differences')?.textContent ?? '';
    return { row, article, text: `${row.dataset.name}\n${differences}`.toLowerCase() };
  });
  const machines = [...document.querySelectorAll('[data-machine]')];

  const wanted = () =>
    [...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);

  const matches = (check, filters) =>
    filters.every(([name, value]) =>
      name === 'text' ? check.text.includes(value.toLowerCase()) : check.row.dataset[name] === value);

  const apply = () => {
    const filters = wanted();
    const topologies = new Set();
    let count = 0;
    for (const check of checks) {
      const isShown = matches(check, filters);
      check.row.hidden = !isShown;
      if (check.article) check.article.hidden = !isShown;
      if (isShown) {
        count += 1;
        topologies.add(check.row.dataset.topology);
      }
    }
    for (const machine of machines) {
      machine.hidden = filters.length > 0 && !topologies.has(machine.dataset.machine);
    }
    shown.textContent = `${count} of ${checks.length} shown`;
    return filters;
  };

  // The address follows the filters, so that it can be kept or sent.
  const follow = () => {
    const filters = apply();
    const query = new URLSearchParams(filters).toString();
    const isFilter = location.hash.startsWith(FILTER);
    if (query || isFilter) history.replaceState(null, '', query ? FILTER + query : '#');
  };

  const reset = () => {
    for (const field of form.elements) if (field.name) field.value = '';
    follow();
  };

  // What a link leads to is shown: filters that hide it are taken away, and its picture is opened.
  const arrive = () => {
    if (location.hash.startsWith(FILTER)) {
      const query = new URLSearchParams(location.hash.slice(FILTER.length));
      for (const field of form.elements) if (field.name) field.value = query.get(field.name) ?? '';
      apply();
      return;
    }
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest('[hidden]')) {
      for (const field of form.elements) if (field.name) field.value = '';
      apply();
    }
    const details = target.closest('details');
    if (details) details.open = true;
    target.scrollIntoView();
  };

  const key = (row, name) => (name === 'name' || name === 'outcome' ? row.dataset[name] : Number(row.dataset[name]));

  const sort = (header) => {
    const name = header.dataset.sort.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
    const isNumber = header.classList.contains('number');
    // Numbers begin with the largest: that is what is looked for.
    const first = isNumber ? 'descending' : 'ascending';
    const second = isNumber ? 'ascending' : 'descending';
    const order = header.getAttribute('aria-sort') === first ? second : first;
    for (const other of document.querySelectorAll('th[aria-sort]')) other.removeAttribute('aria-sort');
    header.setAttribute('aria-sort', order);
    const sign = order === 'ascending' ? 1 : -1;
    const rows = [...body.rows].sort((a, b) => {
      const [of_a, of_b] = [key(a, name), key(b, name)];
      return of_a < of_b ? -sign : of_a > of_b ? sign : Number(a.dataset.number) - Number(b.dataset.number);
    });
    body.append(...rows);
  };

  const move = (from, step) => {
    const links = [...body.querySelectorAll('tr:not([hidden]) a')];
    const at = links.indexOf(from);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[step];
    links[to]?.focus();
  };

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isField = event.target.closest('input, select, textarea');
    if (event.key === '/' && !isField) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === 'Escape' && event.target === search) {
      search.value = '';
      follow();
    } else if (event.key === 'ArrowDown' && event.target === search) {
      event.preventDefault();
      body.querySelector('tr:not([hidden]) a')?.focus();
    } else if (['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key) && event.target.closest('tbody a')) {
      event.preventDefault();
      move(event.target, event.key);
    }
  });
  form.addEventListener('input', follow);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', (event) => {
    event.preventDefault();
    reset();
  });
  window.addEventListener('hashchange', arrive);
  for (const header of document.querySelectorAll('th[data-sort]')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener('click', () => sort(header));
  }
  form.hidden = false;
  document.getElementById('keys').hidden = false;
  apply();
  arrive();
})();
