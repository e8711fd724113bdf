'use strict';
// Zoom and values under the pointer, the same in all plots over time. The page is whole without it.
(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($('data').textContent);
  const END = data.end;
  // No closer than this: a two-hundredth of the run, and not below a tenth of a second.
  const LEAST = Math.min(END, Math.max(100, END / 200));
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  let from = 0;
  let to = END;
  let at = null;

  // --- values as the report writes them -------------------------------------------------------------------------
  const grouped = (n) => String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
  function trimmed(value, steps) {
    const size = Math.abs(value);
    let digits = steps.length;
    for (let i = 0; i < steps.length; i += 1) {
      if (size >= steps[i]) { digits = i; break; }
    }
    const text = value.toFixed(digits);
    return text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '').replace(/^-0$/, '0') : text;
  }
  const number = (v) => (v >= 1000 ? grouped(Math.round(v)) : trimmed(v, [99.95, 9.995, 0.9995, 0.1]));
  function duration(ms) {
    if (ms === 0) return '0 s';
    return ms < 1000 ? `${trimmed(ms, [100, 10, 1, 0.1])} ms` : `${(ms / 1000).toFixed(3)} s`;
  }
  function bytes(value) {
    let rest = value;
    for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
      if (Math.abs(rest) < 1024) return `${number(rest)} ${unit}`;
      rest /= 1024;
    }
    return `${number(rest)} TiB`;
  }
  const WRITTEN = {
    ratio: (v) => `${number(v * 100)} %`, ms: duration, rate: (v) => `${number(v)}/s`, bytes, number,
  };
  const written = (unit, v) => (v === null || v === undefined ? '–' : WRITTEN[unit](v));

  // --- the time axis --------------------------------------------------------------------------------------------
  const STEPS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];
  function moments() {
    const length = (to - from) / 1000;
    let step = STEPS.find((s) => length / s <= 7);
    if (!step) {
      const least = length / 36e3;
      const magnitude = 10 ** Math.floor(Math.log10(least));
      step = [1, 2, 5, 10].map((f) => f * magnitude).find((s) => s >= least * 0.999999) * 3600;
    }
    const marks = [];
    for (let i = Math.ceil(from / 1000 / step - 1e-9); i * step <= to / 1000 + 1e-9; i += 1) {
      const label = step >= 60 ? `${number(i * step / 60)} min` : `${Number((i * step).toFixed(2))} s`;
      marks.push([(i * step * 1000 - from) / (to - from) * 100, label]);
    }
    return marks;
  }
  const across = (ms) => ms / END * data.width;
  const moment = (ms) => `${(ms / 1000).toFixed((to - from) < 20000 ? 2 : 1)} s`;

  // --- reading values -------------------------------------------------------------------------------------------
  function nearest(times, ms) {
    if (!Array.isArray(times)) return times.n === 0 ? -1 : clamp(Math.floor(ms / times.step), 0, times.n - 1);
    let low = 0;
    let high = times.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < ms) low = middle + 1; else high = middle;
    }
    return low > 0 && ms - times[low - 1] <= times[low] - ms ? low - 1 : low;
  }
  function inCell(plot, ms, height) {
    const counts = plot.counts[nearest(data.times[plot.t], ms)];
    if (!counts || counts.every((n) => n === 0)) return 'no good operation';
    const rows = plot.bounds.length;
    const row = height === null ? counts.indexOf(Math.max(...counts)) : clamp(Math.floor((1 - height) * rows), 0, rows - 1);
    const low = row > 0 ? `${duration(plot.bounds[row - 1])} to ` : 'up to ';
    return `${height === null ? 'most: ' : ''}${low}${duration(plot.bounds[row])}: ${grouped(counts[row])}`;
  }

  // --- the plots ------------------------------------------------------------------------------------------------
  function element(name, className, parent) {
    const made = document.createElementNS(SVG, name);
    made.setAttribute('class', className);
    parent.append(made);
    return made;
  }
  const charts = [...document.querySelectorAll('.canvas:not(.still)')].map((canvas) => {
    const view = canvas.querySelector('.view');
    const height = view.viewBox.baseVal.height;
    const figure = canvas.closest('figure');
    const cross = element('path', 'cross', view);
    const brush = element('rect', 'brush', view);
    brush.setAttribute('height', height);
    return {
      canvas, view, height, cross, brush,
      svg: canvas.querySelector('.chart'),
      axis: canvas.querySelector('.moments'),
      plot: canvas.dataset.plot === undefined ? null : data.plots[Number(canvas.dataset.plot)],
      title: figure.querySelector('h4').textContent,
      names: [...figure.querySelectorAll('.legend .name')],
      values: [...figure.querySelectorAll('.legend .value')],
    };
  });
  const remarks = [...document.querySelectorAll('.remarks li')];

  function drawAxes() {
    const x = across(from);
    const width = across(to) - x;
    const marks = moments();
    for (const chart of charts) {
      chart.view.setAttribute('viewBox', `${x} 0 ${width} ${chart.height}`);
      const y = chart.axis.dataset.y;
      chart.axis.replaceChildren(...marks.map(([percent, label]) => {
        const text = document.createElementNS(SVG, 'text');
        if (percent > 96) text.setAttribute('class', 'last');
        text.setAttribute('x', `${percent.toFixed(3)}%`);
        text.setAttribute('y', y);
        text.textContent = label;
        return text;
      }));
    }
    const whole = from === 0 && to === END;
    $('range').textContent = whole ? `0 s to ${moment(END)}` : `${moment(from)} to ${moment(to)}`;
    $('reset').disabled = whole;
    $('out').disabled = whole;
    $('in').disabled = to - from <= LEAST * 1.001;
  }
  function drawValues(own, height) {
    for (const chart of charts) {
      chart.cross.setAttribute('d', at === null ? '' : `M${across(at)} 0V${chart.height}`);
      if (!chart.plot) continue;
      if (chart.plot.bounds) {
        const cell = chart === own && height !== undefined ? height : null;
        chart.values[0].textContent = at === null ? '' : inCell(chart.plot, at, cell);
        continue;
      }
      chart.plot.lines.forEach((line, i) => {
        const value = at === null ? '' : written(chart.plot.unit, line.v[nearest(data.times[line.t], at)]);
        if (chart.values[i]) chart.values[i].textContent = value;
      });
    }
    // The moment stands first where the range is.
    if (at !== null) $('range').textContent = `at ${moment(at)}`;
    const reach = (to - from) / 60;
    let shown = 0;
    for (const remark of remarks) {
      const near = at !== null && Math.abs(Number(remark.dataset.at) - at) <= reach && shown < 6;
      remark.classList.toggle('near', near);
      if (near) shown += 1;
    }
  }
  function show(begin, end) {
    const length = clamp(end - begin, LEAST, END);
    const middle = (begin + end) / 2;
    from = clamp(end - begin < LEAST ? middle - length / 2 : begin, 0, END - length);
    to = from + length;
    if (END - to < 1e-6) to = END;
    if (at !== null) at = clamp(at, from, to);
    drawAxes();
    drawValues();
  }
  function zoom(factor, around) {
    const length = clamp((to - from) * factor, LEAST, END);
    const share = (around - from) / (to - from);
    show(around - length * share, around + length * (1 - share));
  }
  function say(chart) {
    const told = chart.names.map((name, i) => (chart.values[i] ? `${name.textContent} ${chart.values[i].textContent}` : ''));
    const cell = chart.plot && chart.plot.bounds ? chart.values[0].textContent : told.filter((t) => t).join(', ');
    const near = remarks.filter((r) => r.classList.contains('near')).map((r) => r.textContent).join('; ');
    $('said').textContent = `${moment(at)}: ${chart.plot ? cell : near}`;
  }

  // --- pointer and keys -----------------------------------------------------------------------------------------
  function place(chart, event) {
    const box = chart.svg.getBoundingClientRect();
    const style = getComputedStyle(chart.svg);
    const left = parseFloat(style.paddingLeft);
    const width = box.width - left - parseFloat(style.paddingRight);
    const top = Number(chart.view.getAttribute('y') || 0);
    return {
      ms: from + clamp((event.clientX - box.left - left) / width, 0, 1) * (to - from),
      height: clamp((event.clientY - box.top - top) / Number(chart.view.getAttribute('height')), 0, 1),
    };
  }
  function listen(chart) {
    let begun = null;
    const brushed = (end) => {
      for (const other of charts) {
        other.brush.setAttribute('x', end === null ? 0 : across(Math.min(begun.ms, end)));
        other.brush.setAttribute('width', end === null ? 0 : across(Math.abs(end - begun.ms)));
      }
    };
    chart.canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      begun = { ms: place(chart, event).ms, x: event.clientX };
      chart.canvas.setPointerCapture(event.pointerId);
    });
    chart.canvas.addEventListener('pointermove', (event) => {
      const here = place(chart, event);
      at = here.ms;
      drawValues(chart, here.height);
      if (begun && Math.abs(event.clientX - begun.x) > 4) brushed(here.ms);
    });
    chart.canvas.addEventListener('pointerup', (event) => {
      if (!begun) return;
      const here = place(chart, event).ms;
      brushed(null);
      if (Math.abs(event.clientX - begun.x) > 4) show(Math.min(begun.ms, here), Math.max(begun.ms, here));
      begun = null;
    });
    const over = () => { if (begun) brushed(null); begun = null; };
    chart.canvas.addEventListener('pointercancel', over);
    chart.canvas.addEventListener('pointerleave', () => {
      over();
      if (document.activeElement === chart.canvas) return;
      at = null;
      drawAxes();
      drawValues();
    });
    chart.canvas.addEventListener('dblclick', () => show(0, END));
    chart.canvas.addEventListener('wheel', (event) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        zoom(Math.exp(clamp(event.deltaY, -300, 300) / 300), place(chart, event).ms);
      } else if (event.shiftKey) {
        event.preventDefault();
        const by = (to - from) * clamp(event.deltaY + event.deltaX, -300, 300) / 1500;
        const begin = clamp(from + by, 0, END - (to - from));
        show(begin, begin + to - from);
      }
    }, { passive: false });
    chart.canvas.addEventListener('keydown', (event) => key(chart, event));
    chart.canvas.addEventListener('blur', () => { at = null; drawAxes(); drawValues(); });
  }
  function key(chart, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const length = to - from;
    const middle = at === null ? from + length / 2 : at;
    const move = (by) => {
      at = clamp(at === null ? middle : at + by, 0, END);
      if (at < from) show(at, at + length); else if (at > to) show(at - length, at); else drawValues(chart);
    };
    const pan = (by) => { const begin = clamp(from + by, 0, END - length); show(begin, begin + length); };
    const DEEDS = {
      ArrowRight: () => (event.shiftKey ? pan(length / 10) : move(length / 100)),
      ArrowLeft: () => (event.shiftKey ? pan(-length / 10) : move(-length / 100)),
      Home: () => { at = from; drawValues(chart); },
      End: () => { at = to; drawValues(chart); },
      '+': () => zoom(0.5, middle), '=': () => zoom(0.5, middle),
      '-': () => zoom(2, middle), _: () => zoom(2, middle),
      0: () => show(0, END), Escape: () => show(0, END),
    };
    if (!Object.hasOwn(DEEDS, event.key)) return;
    event.preventDefault();
    DEEDS[event.key]();
    if (at !== null) say(chart);
  }
  for (const chart of charts) {
    chart.canvas.tabIndex = 0;
    chart.canvas.setAttribute('aria-describedby', 'keys');
    listen(chart);
  }
  $('reset').addEventListener('click', () => show(0, END));
  $('in').addEventListener('click', () => zoom(0.5, (from + to) / 2));
  $('out').addEventListener('click', () => zoom(2, (from + to) / 2));
  if (charts.length > 0) {
    $('tools').hidden = false;
    drawAxes();
  }

  // --- paper shows everything but tables that nobody opened ------------------------------------------------------
  let closed = [];
  addEventListener('beforeprint', () => {
    closed = [...document.querySelectorAll('details:not([open], .behind)')];
    closed.forEach((details) => { details.open = true; });
  });
  addEventListener('afterprint', () => closed.forEach((details) => { details.open = false; }));
})();
