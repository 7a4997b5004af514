/** A row's numbers as SVG: a bar per series, its length the median, a whisker from the lowest round to the highest. */

/** Wide enough for most letters: text cannot be measured here. */
const LETTER_PX = 6.6
const LINE_PX = 24
const BAR_PX = 14
const PLOT_PX = 340
const VALUE_PX = 100
const MARGIN_PX = 16
const HEAD_PX = 52
const PANEL_HEAD_PX = 30
/** Beyond this a short bar could not be seen beside a long one: then lengths are by powers of ten. */
const LINEAR_UP_TO = 40

/** The plot brings its own background, so that it can be read on any page. */
const STYLE = `
    text { font: 12px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
    .title { font-weight: 600 } .quiet { fill: #59636e } .ground { fill: #ffffff }
    .ours { fill: #0969da } .limit { fill: #afb8c1 } .peer { fill: #bf8700 }
    .whisker { stroke: #1f2328; fill: none } .axis { stroke: #d1d9e0 }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .quiet { fill: #9198a1 } .ground { fill: #0d1117 }
      .ours { fill: #4493f8 } .limit { fill: #656c76 } .peer { fill: #d29922 }
      .whisker { stroke: #f0f6fc } .axis { stroke: #3d444d }
    }`

/**
 * @typedef {object} Bar
 * @property {string} name
 * @property {'ours' | 'limit' | 'peer'} of
 * @property {string} unit
 * @property {number} median
 * @property {number} min
 * @property {number} max
 * @property {string} text the median as it is read
 */

/**
 * One panel for each unit: bars of different units cannot be compared.
 * @param {{ name: string, title: string, bars: readonly Bar[] }} row
 * @returns {string}
 */
export function plotRow({ name, title, bars }) {
  const units = [...new Set(bars.map(({ unit }) => unit))]
  const labelPx = Math.max(...bars.map((bar) => bar.name.length)) * LETTER_PX + 12
  const widthPx = Math.ceil(MARGIN_PX * 2 + Math.max(labelPx + PLOT_PX + VALUE_PX, title.length * LETTER_PX))
  let topPx = HEAD_PX
  const panels = units.map((unit) => {
    const ofUnit = bars.filter((bar) => bar.unit === unit)
    const panel = panelOf(unit, ofUnit, { topPx, labelPx })
    topPx += PANEL_HEAD_PX + ofUnit.length * LINE_PX + 8
    return panel
  })
  const heightPx = topPx + MARGIN_PX
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${widthPx} ${heightPx}" width="${widthPx}" height="${heightPx}" role="img" aria-label="${escaped(`${name}: ${title}`)}">
  <style>${STYLE}
  </style>
  <rect class="ground" width="${widthPx}" height="${heightPx}" rx="6"/>
  ${textAt(MARGIN_PX, MARGIN_PX + 10, name, 'title')}
  ${textAt(MARGIN_PX, MARGIN_PX + 27, title, 'quiet')}
${panels.flat().join('\n')}
</svg>
`
}

function panelOf(unit, bars, { topPx, labelPx }) {
  const scale = scaleOf(bars)
  const leftPx = MARGIN_PX + labelPx
  const firstPx = topPx + PANEL_HEAD_PX
  const bottomPx = firstPx + bars.length * LINE_PX - (LINE_PX - BAR_PX)
  const words = [unit, scale.isLog ? 'lengths by powers of ten' : ''].filter((text) => text !== '').join(', ')
  return [
    `  ${textAt(leftPx, topPx + 16, words, 'quiet')}`,
    `  <path class="axis" d="M${px(leftPx)} ${firstPx - 4}V${bottomPx + 4}"/>`,
    ...bars.flatMap((bar, index) => {
      const yPx = firstPx + index * LINE_PX
      const [endPx, lowPx, highPx] = [bar.median, bar.min, bar.max].map((value) => leftPx + scale.toPx(value))
      const middlePx = yPx + BAR_PX / 2
      return [
        `  ${textAt(leftPx - 8, yPx + 11, bar.name, '', 'end')}`,
        `  <rect class="${bar.of}" x="${px(leftPx)}" y="${yPx}" width="${px(endPx - leftPx)}" height="${BAR_PX}"/>`,
        `  <path class="whisker" d="M${px(lowPx)} ${middlePx - 3}v6m0-3H${px(highPx)}m0-3v6"/>`,
        `  ${textAt(Math.max(endPx, highPx) + 8, yPx + 11, bar.text)}`,
      ]
    }),
  ]
}

/** From 0, or where the numbers are too far apart, from the power of ten below the smallest. */
function scaleOf(bars) {
  const most = Math.max(...bars.map(({ max }) => max))
  const least = Math.min(...bars.map(({ min }) => min))
  const isLog = least > 0 && most / least > LINEAR_UP_TO
  const start = isLog ? Math.floor(Math.log10(least)) : 0
  const end = isLog ? Math.log10(most) : most
  const toPx = (value) => (((isLog ? Math.log10(value) : value) - start) / (end - start)) * PLOT_PX
  return { isLog, toPx }
}

function textAt(xPx, yPx, text, style = '', anchor = 'start') {
  const attributes = `${style === '' ? '' : ` class="${style}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}`
  return `<text x="${px(xPx)}" y="${yPx}"${attributes}>${escaped(text)}</text>`
}

function px(value) {
  return String(Math.round(value * 10) / 10)
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escaped(text) {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character])
}
