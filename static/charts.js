// Draws charts from the tables that come with them (web/pages/chart.rs), with uPlot. A number is a float only
// where it becomes a place on the canvas; what is read are the cells' own texts.

const HEIGHT = 220;
const dark = matchMedia('(prefers-color-scheme: dark)');
const drawn = new Map();

/** What a table says: labels, and columns with their numbers and texts. */
function read(table) {
  const [, ...heads] = table.tHead.rows[0].cells;
  const rows = [...table.tBodies[0].rows];
  const columns = heads.map((head, at) => {
    const cells = rows.map((row) => row.cells[at + 1]);
    const found = cells.map((cell) => cell.querySelector('data'));
    return {
      name: head.textContent,
      shape: head.dataset.shape,
      axis: head.dataset.axis,
      currency: found.find(Boolean)?.dataset.currency,
      values: found.map((data) => (data ? Number(data.value) : null)),
      text: (row) => cells[row].textContent,
    };
  });
  return { labels: rows.map((row) => row.cells[0]), columns };
}

/** A label in short: a day or a month as the reader's locale says it, or the beginning of a text. */
function short(cell) {
  const day = cell.querySelector('time')?.dateTime;
  if (!day) return cell.textContent.trim().slice(0, 12);
  const options = day.length === 7 ? { month: 'short', year: '2-digit' } : { month: 'short', day: 'numeric' };
  return new Intl.DateTimeFormat(undefined, { ...options, timeZone: 'UTC' }).format(new Date(day));
}

/** Amounts and counts for an axis. */
function figures(currency) {
  const options = { notation: 'compact', maximumFractionDigits: 1 };
  const format = new Intl.NumberFormat(undefined, currency ? { ...options, style: 'currency', currency } : options);
  return (_, splits) => splits.map((split) => (currency || Number.isInteger(split) ? format.format(split) : ''));
}

/** The name of each column beside how it is drawn, and what it says where the pointer is. */
function legend(columns) {
  const list = document.createElement('div');
  list.className = 'chart-legend';
  const where = document.createElement('span');
  const values = columns.map(({ name, shape }, at) => {
    const item = document.createElement('span');
    const sign = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    sign.setAttribute('viewBox', '0 0 24 12');
    sign.setAttribute('class', `chart-${at + 1}`);
    sign.dataset.shape = shape;
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', shape === 'bars' ? 'M4 11V5h5v6zM14 11V1h5v10z' : 'M1 6H23');
    sign.append(path);
    const value = document.createElement('b');
    item.append(sign, name, value);
    list.append(item);
    return value;
  });
  list.append(where);
  const tell = (row, label) => {
    where.textContent = label;
    values.forEach((value, at) => (value.textContent = row === null ? '' : columns[at].text(row)));
  };
  return { list, tell };
}

const colour = (place, name) => {
  const probe = document.createElement('i');
  probe.className = name;
  place.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};

function draw(figure) {
  const { labels, columns } = read(figure.querySelector('table'));
  const place = figure.querySelector('.chart-place');
  place.replaceChildren();
  if (labels.length === 0 || columns.length === 0) return;
  const { list, tell } = legend(columns);
  place.append(list);
  const [soft, line] = [colour(place, 'chart-axis'), colour(place, 'chart-grid')];
  const font = `12px ${getComputedStyle(figure).fontFamily}`;
  const short_ = labels.map(short);
  const axis = { stroke: soft, font, ticks: { show: false }, grid: { stroke: line, width: 1 }, gap: 6 };
  const wide = (_, texts) => Math.max(36, ...(texts ?? []).map((text) => 7.2 * text.length + 14));
  const scales = { x: { time: false, range: [-0.5, labels.length - 0.5] } };
  const axes = [
    {
      ...axis,
      grid: { show: false },
      space: 72,
      incrs: [1, 2, 3, 5, 7, 14, 30, 60, 90, 180],
      values: (_, splits) => splits.map((at) => short_[at] ?? ''),
      size: 30,
    },
  ];
  for (const side of ['left', 'right']) {
    const mine = columns.filter((column) => column.axis === side);
    if (mine.length === 0) continue;
    scales[side] = { range: (_, low, high) => [Math.min(0, (low ?? 0) * 1.08), high > 0 ? high * 1.08 : low < 0 ? 0 : 1] };
    const at = side === 'left' ? 3 : 1;
    const grid = axes.length === 1 ? axis.grid : { show: false };
    axes.push({ ...axis, grid, scale: side, side: at, size: wide, space: 44, values: figures(mine[0].currency) });
  }
  const series = columns.map(({ shape, axis: scale }, at) => {
    const stroke = colour(place, `chart-${at + 1}`);
    const faint = stroke.replace('rgb(', 'rgba(').replace(')', ', 0.13)');
    const points = { show: labels.length === 1, size: 7 };
    if (shape === 'bars') return { scale, stroke, fill: stroke, width: 0, paths: uPlot.paths.bars({ size: [0.62, 36] }), points: { show: false } };
    return { scale, stroke, width: 2, points, ...(shape === 'area' ? { fill: faint } : { dash: [7, 5] }) };
  });
  const options = {
    width: Math.max(place.clientWidth, 160),
    height: HEIGHT,
    scales,
    axes,
    series: [{}, ...series],
    legend: { show: false },
    cursor: { drag: { x: false, y: false, setScale: false }, y: false, points: { size: 8 } },
    hooks: {
      setCursor: [({ cursor: { idx } }) => tell(idx ?? null, idx === null || idx === undefined ? '' : labels[idx].textContent)],
    },
  };
  const plot = new uPlot(options, [labels.map((_, at) => at), ...columns.map(({ values }) => values)], place);
  drawn.set(place, { plot, figure });
  sizes.observe(place);
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const found = drawn.get(target);
    const width = target.clientWidth;
    if (found && width > 0 && Math.abs(width - found.plot.width) > 1) found.plot.setSize({ width, height: HEIGHT });
  }
});

const all = (root) => root.querySelectorAll('figure[data-chart]').forEach(draw);

all(document);
dark.addEventListener('change', () => {
  for (const [place, { plot, figure }] of [...drawn]) {
    plot.destroy();
    drawn.delete(place);
    if (figure.isConnected) draw(figure);
  }
});
document.addEventListener('htmx:load', (event) => event.target !== document.body && all(event.target));
