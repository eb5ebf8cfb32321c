/** The learning curves of a run as an SVG image. Checked in test/unit/run-folder.test.ts. */
import { scaleLinear } from 'd3-scale'
import {
  COLOURS,
  drawColumns,
  drawDocument,
  drawDots,
  drawLegend,
  drawLine,
  drawPanel,
  drawRows,
  type Frame,
} from './chart.ts'
import type { EpochRow } from './metrics.ts'

const SIZE = { width: 860, height: 360 }
const GAP = 30
const MARGIN = { top: 46, right: 16, bottom: 44, left: 52 }
const PANEL = {
  width: (SIZE.width - GAP) / 2 - MARGIN.left - MARGIN.right,
  height: SIZE.height - MARGIN.top - MARGIN.bottom,
}
const [TRAIN_COLOUR, TEST_COLOUR] = COLOURS
/** Dots are drawn while there are no more epochs than this. */
const MAX_DOTS = 40

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
  const drawn = panels.map((panel, i) => drawCurvePanel(panel, rows.length, (i * (SIZE.width + GAP)) / 2))
  return drawDocument(SIZE, `Learning curves over ${rows.length} epochs`, drawn)
}

/**
 * The top of the loss axis: the largest value, but no more than three times the largest of the training, since test
 * losses of the first epochs can be far off (their running statistics are); such values are drawn at the top.
 */
function lossTop([train, test]: readonly Curve[]): number {
  const largest = (curve: Curve | undefined) =>
    (curve?.values ?? []).filter(Number.isFinite).reduce((most, value) => Math.max(most, value), 0)
  return Math.min(largest(test), 3 * largest(train)) > largest(train)
    ? Math.min(largest(test), 3 * largest(train))
    : largest(train) || 1
}

function drawCurvePanel({ title, range, unit, curves }: Panel, epochs: number, offset: number): string {
  const frame: Frame = { left: offset + MARGIN.left, top: MARGIN.top, ...PANEL }
  const x = scaleLinear([1, Math.max(2, epochs)], [0, PANEL.width])
  const y = scaleLinear(range, [PANEL.height, 0]).nice(5).clamp(true)
  const ticks = x.ticks(Math.min(8, (x.domain()[1] as number) - 1)).filter(Number.isInteger)
  const marks = ticks.map(tick => ({ at: x(tick), label: String(tick) }))
  const drawn = curves.map(({ values, colour }) => {
    // The scale would bring what is infinite to the edge.
    const points = values.map((value, i) => ({ x: x(i + 1), y: Number.isFinite(value) ? y(value) : Number.NaN }))
    return [drawLine(points, colour), values.length <= MAX_DOTS ? drawDots(points, colour) : ''].join('\n')
  })
  return drawPanel(frame, title, [
    drawLegend(curves, PANEL.width),
    drawRows(y, PANEL.width, unit),
    drawColumns(marks, frame, 'epoch'),
    ...drawn,
  ])
}
