/** The learning curves of a run as an SVG image. Checked in test/unit/run-folder.test.ts. */
import { type ScaleLinear, scaleLinear } from 'd3-scale'
import { line } from 'd3-shape'
import type { EpochRow } from './metrics.ts'

const WIDTH = 860
const HEIGHT = 360
const GAP = 30
const MARGIN = { top: 46, right: 16, bottom: 44, left: 52 }
const PANEL = {
  width: (WIDTH - GAP) / 2 - MARGIN.left - MARGIN.right,
  height: HEIGHT - MARGIN.top - MARGIN.bottom,
}
/** Told apart by people who cannot tell red from green, too (Okabe and Ito). */
const TRAIN_COLOUR = '#0072b2'
const TEST_COLOUR = '#d55e00'
const INK = '#333333'
const GRID = '#dddddd'

interface Curve {
  label: string
  colour: string
  values: readonly number[]
}

interface Panel {
  title: string
  /** The range of the vertical axis; grown to round numbers. */
  range: readonly [number, number]
  unit: string
  curves: readonly Curve[]
}

type Scale = ScaleLinear<number, number>

/** Losses and accuracies over the epochs, counted from 1 as people do. Without rows: empty axes. */
export function drawCurves(rows: readonly EpochRow[]): string {
  const pick = (label: string, colour: string, key: keyof EpochRow): Curve => ({
    label,
    colour,
    values: rows.map(row => row[key]),
  })
  const losses = [pick('train', TRAIN_COLOUR, 'trainLoss'), pick('test', TEST_COLOUR, 'testLoss')]
  const accuracies = [pick('train', TRAIN_COLOUR, 'trainTop1'), pick('test', TEST_COLOUR, 'testTop1')]
  const panels: Panel[] = [
    { title: 'Loss', unit: '', range: [0, lossTop(losses)], curves: losses },
    { title: 'Top-1 accuracy', unit: ' %', range: [0, 100], curves: accuracies },
  ]
  const drawn = panels.map((panel, i) => drawPanel(panel, rows.length, (i * (WIDTH + GAP)) / 2))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="${INK}">
<title>Learning curves over ${rows.length} epochs</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>
${drawn.join('\n')}
</svg>
`
}

/**
 * The top of the loss axis: the largest value, but no more than three times the largest of the training, since test
 * losses of the first epochs can be far off (their running statistics are); such values are drawn at the top.
 */
function lossTop([train, test]: readonly Curve[]): number {
  const largest = (curve: Curve | undefined) => Math.max(0, ...(curve?.values ?? []).filter(Number.isFinite))
  return Math.min(largest(test), 3 * largest(train)) > largest(train)
    ? Math.min(largest(test), 3 * largest(train))
    : largest(train) || 1
}

function drawPanel({ title, range, unit, curves }: Panel, epochs: number, left: number): string {
  const x = scaleLinear([1, Math.max(2, epochs)], [0, PANEL.width])
  const y = scaleLinear(range, [PANEL.height, 0]).nice(5).clamp(true)
  const middle = PANEL.width / 2
  return `<g transform="translate(${left + MARGIN.left},${MARGIN.top})">
<text x="0" y="-20" font-size="15" font-weight="bold">${title}</text>
${legend(curves)}
${drawAxes(x, y, unit)}
<text x="${middle}" y="${PANEL.height + 36}" text-anchor="middle">epoch</text>
${curves.map(curve => drawCurve(curve, x, y)).join('\n')}
</g>`
}

function legend(curves: readonly Curve[]): string {
  return curves
    .map(({ label, colour }, i) => {
      const left = PANEL.width - 60 * (curves.length - i)
      return `<line x1="${left}" x2="${left + 20}" y1="-24" y2="-24" stroke="${colour}" stroke-width="2"/><text x="${left + 25}" y="-20">${label}</text>`
    })
    .join('\n')
}

function drawAxes(x: Scale, y: Scale, unit: string): string {
  const rows = y.ticks(5).map(tick => {
    const at = round(y(tick))
    return `<line x1="0" x2="${PANEL.width}" y1="${at}" y2="${at}" stroke="${GRID}"/><text x="-8" y="${at + 4}" text-anchor="end">${y.tickFormat(5)(tick)}${unit}</text>`
  })
  const columns = x.ticks(Math.min(8, (x.domain()[1] as number) - 1)).filter(Number.isInteger)
  const marks = columns.map(
    tick => `<text x="${round(x(tick))}" y="${PANEL.height + 18}" text-anchor="middle">${tick}</text>`,
  )
  return [...rows, ...marks].join('\n')
}

/** A line with gaps where a value is not finite, and dots while there are few. */
function drawCurve({ values, colour }: Curve, x: Scale, y: Scale): string {
  const at = (i: number) => round(x(i + 1))
  const path = line<number>()
    .defined(Number.isFinite)
    .x((_, i) => at(i))
    .y(value => round(y(value)))(values as number[])
  const dots = values.flatMap((value, i) =>
    values.length <= 40 && Number.isFinite(value)
      ? `<circle cx="${at(i)}" cy="${round(y(value))}" r="2.5" fill="${colour}"/>`
      : [],
  )
  return [`<path d="${path ?? ''}" fill="none" stroke="${colour}" stroke-width="2"/>`, ...dots].join('\n')
}

const round = (value: number) => Math.round(value * 100) / 100
