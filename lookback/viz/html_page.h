// Private to viz: what every page carries besides the figures, and what it carries for some kinds of them.
#pragma once

namespace lookback::viz {

inline constexpr const char* kHint =
    "<p class=\"hint\">Point at a word, a cell or a place in a chart, or walk there with Tab and the arrow keys; Enter "
    "or "
    "a click holds a word, Escape lets go.</p>\n";

inline constexpr const char* kStyle = R"css(
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--background);color:var(--text);
  font:16px/1.5 system-ui,"Segoe UI","DejaVu Sans","Noto Sans",sans-serif}
h1{font-size:1.35rem;margin:.25rem 0}
h2{font-size:1.05rem;margin:0 0 .6rem;overflow-wrap:anywhere}
.hint,.legend,.name,.empty{color:var(--muted);font-size:.85rem;margin:.2rem 0}
.map{border-top:1px solid var(--faint);margin-top:1rem;padding-top:1rem}
.side{display:flex;gap:.75rem;align-items:baseline}
.side p{margin:.15rem 0;flex:1;min-width:0;overflow-wrap:anywhere;line-height:1.8}
.note{height:2.1rem}
.name{flex:0 0 3.2rem}
i{font-style:normal;color:var(--muted)}
.token{border-radius:.25em;padding:.15em .1em;cursor:pointer;unicode-bidi:isolate}
.token i{display:none}
.piece{border-left:1px dotted var(--muted);border-radius:0 .25em .25em 0}
.on{outline:2px solid var(--text);outline-offset:-1px}
:focus{outline:2px solid var(--text);outline-offset:1px}
.scroll{overflow-x:auto;max-width:100%;padding:2px 2px .5rem;overscroll-behavior-x:contain}
table{border-spacing:1px;font-size:.85rem;line-height:1.1}
th{font-weight:normal}
th[scope=col]{vertical-align:bottom;padding:0 0 .3rem;text-align:center}
th[scope=col] span{display:inline-block;writing-mode:vertical-rl;transform:rotate(180deg);
  text-orientation:sideways;white-space:nowrap}
th[scope=col] span.upright{transform:none;text-orientation:mixed}
th[scope=row]{position:sticky;left:0;z-index:1;background:var(--background);text-align:right;padding:0 .4rem 0 .1rem;
  white-space:nowrap;max-width:45vw;overflow:hidden;text-overflow:ellipsis}
td,.bar,.lit{forced-color-adjust:none}
tbody td:not(.score),.lit{background:rgb(var(--full-rgb)/var(--w))}
@supports (background:color-mix(in oklab,red,blue)){
  tbody td:not(.score),.lit{background:color-mix(in oklab,var(--full) calc(var(--w)*100%),var(--background))}}
tbody td:not(.score){text-align:center;cursor:crosshair;font-size:.72rem;box-shadow:0 0 0 1px var(--faint)}
.roomy td:not(.score){min-width:2.1rem;width:2.1rem;height:2.1rem}
.tight td:not(.score){min-width:1.05rem;width:1.05rem;height:1.05rem}
tr.nothing td:not(.score){background:linear-gradient(transparent 47%,var(--muted) 47% 53%,transparent 53%)}
td.l,.lit.l{color:var(--background)}
@media (prefers-color-scheme:dark){td.l:not(.d),.lit.l:not(.d){color:var(--text)}td.d,.lit.d{color:var(--background)}}
td.score,th.score{color:var(--muted);padding:0 .3rem 0 .6rem;text-align:right;font-variant-numeric:tabular-nums}
th.score{white-space:nowrap}
tr.on{outline-offset:0}
.head{font-weight:bold}
.legend{display:flex;gap:.4rem;align-items:center}
.bar{width:8rem;height:.7rem;box-shadow:0 0 0 1px var(--faint);background:linear-gradient(to right,var(--background),var(--full))}
@supports (background:linear-gradient(in oklab to right,red,blue)){
  .bar{background:linear-gradient(in oklab to right,var(--background),var(--full))}}
#tip{position:fixed;left:0;top:0;z-index:2;max-width:min(28rem,94vw);padding:.3rem .6rem;border-radius:.35rem;
  background:var(--text);color:var(--background);font-size:.85rem;pointer-events:none;overflow-wrap:anywhere}
#tip:empty{display:none}
#tip b{font-variant-numeric:tabular-nums}
@media (max-width:40rem){body{padding:.75rem}.side{display:block}}
@media print{.hint{display:none}td,.bar{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";

inline constexpr const char* kTotalsStyle = R"css(
tfoot th{font-weight:bold}
tfoot th,tfoot td{border-top:6px solid var(--background)}
tfoot td:not(.score){text-align:center;font-size:.72rem;box-shadow:0 0 0 1px var(--faint);background-clip:padding-box;
  background-color:rgb(var(--full-rgb)/var(--w))}
@supports (background:color-mix(in oklab,red,blue)){
  tfoot td:not(.score){background-color:color-mix(in oklab,var(--full) calc(var(--w)*100%),var(--background))}}
.means{margin-left:1rem}
)css";

inline constexpr const char* kHighlightStyle = R"css(
.words{font-size:1.1rem}
.words .token{padding:.15em .25em}
.labels{display:grid;grid-template-columns:minmax(0,max-content) minmax(4rem,14rem) max-content;gap:.2rem .6rem;
  align-items:center;margin:.8rem 0}
.labels bdi{text-align:right;overflow-wrap:anywhere}
.labels bdi:first-child{font-weight:bold}
.labels span{font-variant-numeric:tabular-nums;font-size:.85rem;color:var(--muted)}
.labels .track{height:.8rem;background:var(--faint)}
.track span{display:block;height:100%;background:var(--full);forced-color-adjust:none}
)css";

inline constexpr const char* kScript = R"js(
'use strict';
const tip = document.getElementById('tip');
const quiet = () => { tip.textContent = ''; };

// The tip is text only: nothing a token holds is ever read as markup.
function tell(parts, near) {
  quiet();
  for (const [words, strong] of parts) {
    const e = document.createElement(strong ? 'b' : 'bdi');
    e.textContent = words;
    tip.append(e);
  }
  // What is said of a word stands on the line kept free for it, not over the other sentence.
  const note = near.classList.contains('token') && near.closest('.map').querySelector('.note');
  const at = (note || near).getBoundingClientRect(), mine = tip.getBoundingClientRect();
  const above = at.top - mine.height - 8;
  tip.style.left = Math.max(4, Math.min(at.left, document.documentElement.clientWidth - mine.width - 4)) + 'px';
  tip.style.top = (note ? at.top + 2 : above > 4 ? above : at.bottom + 8) + 'px';
}

for (const map of document.querySelectorAll('.map')) {
  const table = map.querySelector('table');
  if (!table) continue;
  const source = [...map.querySelectorAll('.source .token')], target = [...map.querySelectorAll('.target .token')];
  const rows = [...table.tBodies[0].rows];
  const cells = rows.map(r => [...r.querySelectorAll('td:not(.score)')]);
  const heads = [...table.tHead.querySelectorAll('th:not(.score)')];
  let held = null;

  const weight = (u, t) => Number(cells[u][t].dataset.w);
  const light = (token, cell) => {
    token.classList.add('lit');
    for (const side of ['l', 'd']) token.classList.toggle(side, cell.classList.contains(side));
    token.style.setProperty('--w', cell.style.getPropertyValue('--w'));
  };
  function clear() {
    for (const e of map.querySelectorAll('.lit,.on,.head')) e.classList.remove('lit', 'on', 'head', 'l', 'd');
    quiet();
  }
  const best = (n, w) => [...Array(n).keys()].filter(k => w(k) > 0).sort((a, b) => w(b) - w(a)).slice(0, 3);
  function summary(name, verb, others, w) {
    const parts = [[name, false], [verb, false]], found = best(others.length, w);
    if (!found.length) parts.push(['nothing', true]);
    found.forEach((k, i) => parts.push([(i ? ', ' : '') + others[k].textContent + ' ', false], [w(k).toFixed(2), true]));
    return parts;
  }
  // u is a row, t a column; either may be missing.
  function show(u, t, near) {
    clear();
    if (u !== undefined) {
      rows[u].cells[0].classList.add('head');
      target[u].classList.add('on');
      source.forEach((token, k) => light(token, cells[u][k]));
      if (t === undefined) rows[u].classList.add('on');
    } else {
      target.forEach((token, k) => light(token, cells[k][t]));
    }
    if (t !== undefined) {
      heads[t].classList.add('head');
      source[t].classList.add('on');
      if (u === undefined) cells.forEach(row => row[t].classList.add('on'));
    }
    if (u !== undefined && t !== undefined) {
      cells[u][t].classList.add('on');
      tell([[source[t].textContent, false], [' \u2192 ', false], [target[u].textContent, false],
            ['  ' + cells[u][t].dataset.w, true]], near);
    } else if (u !== undefined) {
      tell(summary(target[u].textContent, ' looks at ', source, k => weight(u, k)), near);
    } else {
      tell(summary(source[t].textContent, ' is seen by ', target, k => weight(k, t)), near);
    }
  }
  const rest = () => { clear(); if (held) held(); };

  // What an element stands for: [row, column].
  const meaning = new Map();
  target.forEach((e, u) => meaning.set(e, [u, undefined]));
  source.forEach((e, t) => meaning.set(e, [undefined, t]));
  heads.forEach((e, t) => meaning.set(e, [undefined, t]));
  rows.forEach((r, u) => meaning.set(r.cells[0], [u, undefined]));
  cells.forEach((row, u) => row.forEach((e, t) => meaning.set(e, [u, t])));
  const find = e => { while (e && e !== map && !meaning.has(e)) e = e.parentElement; return meaning.has(e) ? e : null; };

  map.addEventListener('pointerover', e => { const x = find(e.target); if (x) show(...meaning.get(x), x); else rest(); });
  map.addEventListener('pointerleave', rest);
  map.addEventListener('focusin', e => { const x = find(e.target); if (x) show(...meaning.get(x), x); });
  map.addEventListener('focusout', rest);
  function hold(x) {
    for (const e of map.querySelectorAll('[aria-pressed=true]')) e.setAttribute('aria-pressed', 'false');
    const same = held && held.element === x;
    held = null;
    if (!same) {
      held = () => show(...meaning.get(x), x);
      held.element = x;
      if (x.classList.contains('token')) x.setAttribute('aria-pressed', 'true');
    }
    rest();
  }
  map.addEventListener('click', e => { const x = find(e.target); if (x) hold(x); });
  window.addEventListener('scroll', quiet, {passive: true});

  // Arrow keys walk; one element of each group is reached by Tab.
  cells[0][0].tabIndex = 0;
  const go = (from, to) => { if (to) { from.tabIndex = -1; to.tabIndex = 0; to.focus(); } };
  map.addEventListener('keydown', e => {
    const x = document.activeElement, [u, t] = meaning.get(x) || [];
    if (e.key === 'Escape') { held = null; for (const p of map.querySelectorAll('[aria-pressed=true]')) p.setAttribute('aria-pressed', 'false'); clear(); return; }
    if (!meaning.has(x)) return;
    if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); hold(x); return; }
    const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
                  Home: [0, -1e9], End: [0, 1e9]}[e.key];
    if (!step || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    const clamp = (k, n) => Math.max(0, Math.min(n - 1, k));
    if (u !== undefined && t !== undefined) {
      go(x, cells[clamp(u + step[0], cells.length)][clamp(t + step[1], cells[0].length)]);
      return;
    }
    const line = x.classList.contains('token') ? (u !== undefined ? target : source) : null;
    if (!line) return;
    const backwards = getComputedStyle(x.parentElement).direction === 'rtl' && e.key.startsWith('Arrow') ? -1 : 1;
    go(x, line[clamp(line.indexOf(x) + step[0] + backwards * step[1], line.length)]);
  });
}
)js";

inline constexpr const char* kHighlightScript = R"js(
for (const text of document.querySelectorAll('.highlight')) {
  const hops = [...text.querySelectorAll('.words')].map(p => [...p.)js";
inline constexpr const char* kTokensOfWords = "children";
inline constexpr const char* kTokensOfParts = "querySelectorAll('.token')";
inline constexpr const char* kHighlightRest = R"js(]);
  let held = null;
  const clear = () => { for (const e of text.querySelectorAll('.on')) e.classList.remove('on'); quiet(); };
  // The word in every hop, and its weight in this one.
  function show(word) {
    clear();
    for (const hop of hops) hop[word.dataset.k].classList.add('on');
    tell([[word.textContent + '  ', false], [word.dataset.w, true]], word);
  }
  const rest = () => { clear(); if (held) show(held); };
  function hold(word) {
    if (held) held.setAttribute('aria-pressed', 'false');
    held = held === word ? null : word;
    if (held) held.setAttribute('aria-pressed', 'true');
    rest();
  }
  const find = e => e.closest('.words .token');
  text.addEventListener('pointerover', e => { const x = find(e.target); if (x) show(x); else rest(); });
  text.addEventListener('pointerleave', rest);
  text.addEventListener('focusin', e => { const x = find(e.target); if (x) show(x); });
  text.addEventListener('focusout', rest);
  text.addEventListener('click', e => { const x = find(e.target); if (x) hold(x); });
  text.addEventListener('keydown', e => {
    const x = find(document.activeElement);
    if (e.key === 'Escape' && held) hold(held);
    if (!x || e.ctrlKey || e.altKey || e.metaKey) return;
    if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); hold(x); return; }
    const h = hops.findIndex(hop => hop[x.dataset.k] === x), last = hops[h].length - 1;
    const along = getComputedStyle(x.parentElement).direction === 'rtl' ? -1 : 1;
    const [hop, word] = {ArrowLeft: [0, -along], ArrowRight: [0, along], ArrowUp: [-1, 0], ArrowDown: [1, 0],
                         Home: [0, -1e9], End: [0, 1e9]}[e.key] || [];
    if (hop === undefined) return;
    e.preventDefault();
    const to = hops[Math.max(0, Math.min(hops.length - 1, h + hop))][Math.max(0, Math.min(last, Number(x.dataset.k) + word))];
    x.tabIndex = -1; to.tabIndex = 0; to.focus();
  });
  window.addEventListener('scroll', quiet, {passive: true});
}
)js";

inline constexpr const char* kPartsStyle = R"css(
div.words{flex:1;min-width:0}
.part{display:flex;gap:.6rem;margin:.2rem 0}
.share{flex:0 0 3rem;display:flex;justify-content:center;padding-top:.45rem;font-size:.75rem;line-height:1.3;cursor:default;
  font-variant-numeric:tabular-nums;box-shadow:0 0 0 1px var(--faint)}
.means{margin-left:1rem}
)css";

inline constexpr const char* kMarksStyle = R"css(
.token.marked{font-weight:bold;text-decoration:underline 2px;text-underline-offset:.25em}
th.marked{font-weight:bold;box-shadow:inset -3px 0 var(--text)}
)css";

// Comes after that of highlights, which has cleared what was told.
inline constexpr const char* kPartsScript = R"js(
for (const text of document.querySelectorAll('.highlight')) {
  const show = e => {
    const box = e.target.closest('.share');
    if (!box) return;
    box.classList.add('on');
    tell([[box.getAttribute('aria-label') + '  ', false], [box.dataset.w, true]], box);
  };
  text.addEventListener('pointerover', show);
  text.addEventListener('focusin', show);
}
)js";

inline constexpr const char* kTableStyle = R"css(
.table{border-top:1px solid var(--faint);margin-top:1rem;padding-top:1rem}
.table tbody td:not(.score){padding:0 .4rem;white-space:nowrap;font-size:.85rem;font-variant-numeric:tabular-nums}
.table .tight tbody td:not(.score){padding:0 .2rem;font-size:.7rem}
.table .flat th[scope=col] span{writing-mode:horizontal-tb;transform:none;padding:0 .4rem}
.table .zero{color:var(--muted)}
.table .tight .zero{color:var(--faint)}
.axis{color:var(--muted);font-size:.8rem;font-weight:bold;padding:0 .4rem .3rem .1rem;white-space:nowrap;vertical-align:bottom}
.axis.down{text-align:right}
)css";

inline constexpr const char* kTableScript = R"js(
for (const section of document.querySelectorAll('.table')) {
  const table = section.querySelector('table');
  const [down, across] = ['.down', '.across'].map(side => table.querySelector(side).dataset.name);
  const rows = [...table.tBodies[0].rows], heads = [...table.tHead.querySelectorAll('th:not(.score)')];
  const cells = rows.map(r => [...r.querySelectorAll('td:not(.score)')]);
  const places = new Map();
  cells.forEach((row, u) => row.forEach((e, t) => places.set(e, [u, t])));
  const clear = () => { for (const e of table.querySelectorAll('.on,.head')) e.classList.remove('on', 'head'); quiet(); };
  function show(e) {
    clear();
    if (!places.has(e)) return;
    const [u, t] = places.get(e), row = rows[u].cells[0];
    e.classList.add('on');
    row.classList.add('head');
    heads[t].classList.add('head');
    tell([[down + ' ', false], [row.textContent, false], [', ' + across + ' ', false], [heads[t].textContent, false],
          [': ', false], ['text' in e.dataset ? e.dataset.text : e.textContent, true], ['  (' + e.dataset.w + ')', false]], e);
  }
  table.addEventListener('pointerover', e => show(e.target));
  table.addEventListener('pointerleave', clear);
  table.addEventListener('focusin', e => show(e.target));
  table.addEventListener('focusout', clear);
  window.addEventListener('scroll', quiet, {passive: true});
  cells[0][0].tabIndex = 0;
  table.addEventListener('keydown', e => {
    const x = document.activeElement;
    if (e.key === 'Escape') clear();
    const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
                  Home: [0, -1e9], End: [0, 1e9]}[e.key];
    if (!places.has(x) || !step || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    const clamp = (k, n) => Math.max(0, Math.min(n - 1, k)), [u, t] = places.get(x);
    const to = cells[clamp(u + step[0], cells.length)][clamp(t + step[1], cells[0].length)];
    x.tabIndex = -1; to.tabIndex = 0; to.focus();
  });
}
)js";

inline constexpr const char* kGazeStyle = R"css(
.gaze{border-top:1px solid var(--faint);margin-top:1rem;padding-top:1rem}
.look{position:relative;padding-bottom:2.4rem}
.said{font-size:1.15rem;line-height:1.8;margin:.2rem 0 .6rem}
.word{cursor:pointer;border-radius:.25em;padding:.15em .2em;unicode-bidi:isolate}
.word>i{display:none}
.word:hover{background:var(--faint)}
.shot{display:block;aspect-ratio:var(--shape);width:min(100%,var(--wide));background-size:100% 100%;
  box-shadow:0 0 0 1px var(--faint);forced-color-adjust:none}
.over{position:absolute;left:0;bottom:0;width:100%;visibility:hidden;pointer-events:none;font-size:.9rem;font-weight:normal}
.over bdi{display:block;height:2.4rem;line-height:1.1rem;padding-top:.4rem;color:var(--muted);overflow:hidden}
.word:focus .over{visibility:visible}
.word:hover .over{visibility:visible;z-index:1;background:var(--background)}
.film{display:flex;flex-wrap:wrap;gap:1rem .9rem;margin:.4rem 0 .8rem}
.film figure{margin:0;width:max(var(--wide),8rem)}
.film figcaption{overflow-wrap:anywhere;line-height:1.35;padding-top:.3rem}
.film small{display:flex;justify-content:space-between;gap:.5rem;color:var(--muted);font-size:.8rem;
  font-variant-numeric:tabular-nums}
.off{display:block;height:.3rem;margin-top:.15rem;background:var(--faint);forced-color-adjust:none}
.off span{display:block;height:100%;background:var(--muted)}
@media print{.look{padding:0}.stage,.over{display:none}.film figure{break-inside:avoid}
  .shot,.off,.off span{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";

// Words are reached by Tab; with a script by the arrow keys as well, and Escape lets go.
inline constexpr const char* kGazeScript = R"js(
for (const said of document.querySelectorAll('.said')) {
  const words = [...said.querySelectorAll('.word')];
  words.forEach((word, k) => { word.tabIndex = k ? -1 : 0; });
  said.addEventListener('keydown', e => {
    const x = document.activeElement, k = words.indexOf(x);
    if (k < 0 || e.ctrlKey || e.altKey || e.metaKey) return;
    if (e.key === 'Escape') { x.blur(); return; }
    const along = getComputedStyle(said).direction === 'rtl' ? -1 : 1;
    const step = {ArrowLeft: -along, ArrowRight: along, Home: -1e9, End: 1e9}[e.key];
    if (!step) return;
    e.preventDefault();
    const to = words[Math.max(0, Math.min(words.length - 1, k + step))];
    x.tabIndex = -1; to.tabIndex = 0; to.focus();
  });
}
)js";

inline constexpr const char* kChartStyle = R"css(
.chart{border-top:1px solid var(--faint);margin-top:1rem;padding-top:1rem}
.chart svg{display:block;max-width:100%;min-width:34rem;height:auto;forced-color-adjust:none}
.chart .at{fill:var(--muted);fill-opacity:.25}
.chart .at[fill]{fill-opacity:1;stroke:var(--text);stroke-width:1.5}
@media print{.chart svg{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";

// What a title says is told at once, and the same with the arrow keys; without a script, titles do.
inline constexpr const char* kChartScript = R"js(
for (const svg of document.querySelectorAll('.chart svg')) {
  const words = new Map();
  for (const title of svg.querySelectorAll('rect>title')) {
    words.set(title.parentElement, title.textContent);
    title.remove();
  }
  const places = [...words.keys()];
  let at = null;
  const clear = () => { if (at) at.classList.remove('at'); quiet(); };
  function show(e) {
    clear();
    at = e;
    at.classList.add('at');
    tell([[words.get(at), false]], at);
  }
  svg.addEventListener('pointerover', e => { if (words.has(e.target)) show(e.target); else clear(); });
  svg.addEventListener('pointerleave', clear);
  svg.addEventListener('focusout', clear);
  window.addEventListener('scroll', quiet, {passive: true});
  svg.addEventListener('keydown', e => {
    if (e.key === 'Escape') clear();
    const step = {ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9}[e.key];
    if (!step || !places.length || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    show(places[Math.max(0, Math.min(places.length - 1, (at ? places.indexOf(at) : step > 0 ? -1 : places.length) + step))]);
  });
}
)js";

}  // namespace lookback::viz
