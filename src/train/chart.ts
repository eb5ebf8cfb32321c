/**
 * What the project's charts are drawn with, as SVG text: a document of panels, axes, lines, dots and legends. Used by
 * curves.ts and by the plots of src/reproduce. Checked in test/unit/run-folder.test.ts and test/reproduce/plots.test.ts.
 */
import type { ScaleContinuousNumeric } from 'd3-scale'
import { line } from 'd3-shape'

const INK = '#333333'
const GRID = '#dddddd'

/** Told apart by people who cannot tell red from green, too (Okabe and Ito). */
export const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'] as const

/** Coordinates are written with two digits. */
export const round = (value: number) => Math.round(value * 100) / 100

/** Text that may stand in an element. */
export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** A whole image with a white ground. */
export function drawDocument(size: { width: number; height: number }, title: string, parts: readonly string[]): string {
  const { width, height } = size
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${INK}">
<title>${escapeText(title)}</title>
<rect width="${width}" height="${height}" fill="white"/>
${parts.join('\n')}
</svg>
`
}

/** Where the inside of the axes is, in the image. */
export interface Frame {
  left: number
  top: number
  width: number
  height: number
}

/** A panel with its title above; its parts are drawn in the frame's coordinates. */
export function drawPanel({ left, top }: Frame, title: string, parts: readonly string[]): string {
  return `<g transform="translate(${left},${top})">
<text x="0" y="-20" font-size="15" font-weight="bold">${escapeText(title)}</text>
${parts.join('\n')}
</g>`
}

type Vertical = ScaleContinuousNumeric<number, number>

/** Lines across the panel with their values at the left. */
export function drawRows(y: Vertical, width: number, unit = ''): string {
  return y
    .ticks(5)
    .map(tick => {
      const at = round(y(tick))
      return `<line x1="0" x2="${width}" y1="${at}" y2="${at}" stroke="${GRID}"/><text x="-8" y="${at + 4}" text-anchor="end">${y.tickFormat(5)(tick)}${unit}</text>`
    })
    .join('\n')
}

/** A value of the horizontal axis; a second line of its label stands below. */
export interface Mark {
  at: number
  label: string
  below?: string
}

const text = (x: number, y: number, content: string) =>
  `<text x="${round(x)}" y="${y}" text-anchor="middle">${escapeText(content)}</text>`

/** The labels below the panel, and what they mean. */
export function drawColumns(marks: readonly Mark[], { width, height }: Frame, title: string): string {
  const labels = marks.map(({ at, label }) => text(at, height + 18, label))
  const below = marks.flatMap(({ at, below: second }) => (second === undefined ? [] : [text(at, height + 33, second)]))
  return [...labels, ...below, text(width / 2, height + (below.length > 0 ? 54 : 36), title)].join('\n')
}

/** Something to draw; one that is not finite is left out. */
export interface Point {
  x: number
  y: number
}

const isDrawn = ({ x, y }: Point) => Number.isFinite(x) && Number.isFinite(y)

/** A line with gaps where a point is left out. */
export function drawLine(points: readonly Point[], colour: string): string {
  const path = line<Point>()
    .defined(isDrawn)
    .x(point => round(point.x))
    .y(point => round(point.y))([...points])
  return `<path d="${path ?? ''}" fill="none" stroke="${colour}" stroke-width="2"/>`
}

/** Filled circles. */
export function drawDots(points: readonly Point[], colour: string, radius = 2.5): string {
  return points
    .filter(isDrawn)
    .map(({ x, y }) => `<circle cx="${round(x)}" cy="${round(y)}" r="${radius}" fill="${colour}"/>`)
    .join('\n')
}

/** A line of 20 by its name, one after the other up to the right edge. */
export function drawLegend(entries: readonly { label: string; colour: string }[], width: number, step = 60): string {
  return entries
    .map(({ label, colour }, i) => {
      const left = width - step * (entries.length - i)
      return `<line x1="${left}" x2="${left + 20}" y1="-24" y2="-24" stroke="${colour}" stroke-width="2"/><text x="${left + 25}" y="-20">${escapeText(label)}</text>`
    })
    .join('\n')
}

/** Labels beside points, above at the right. */
export function drawLabels(points: readonly (Point & { label: string })[]): string {
  return points
    .filter(isDrawn)
    .map(
      ({ x, y, label }) => `<text x="${round(x + 6)}" y="${round(y - 5)}" font-size="11">${escapeText(label)}</text>`,
    )
    .join('\n')
}

/** A dot by its name, one below the other. */
export function drawKey(
  entries: readonly { label: string; colour: string }[],
  left: number,
  top: number,
  row: number,
): string {
  return entries
    .map(({ label, colour }, i) => {
      const at = top + i * row
      return `<circle cx="${left}" cy="${at}" r="4" fill="${colour}"/><text x="${left + 12}" y="${at + 4}" xml:space="preserve">${escapeText(label)}</text>`
    })
    .join('\n')
}
