/**
 * The values of options, from text to what they mean, strictly: `20x` is no number. Each function makes a parser that
 * throws UsageError, `--depth: expected a whole number from 1 to 10000 but received "20x"`. Checked in
 * test/cli/values.test.ts.
 */
import { UsageError, unknownName } from './failure.ts'

type Parser<T> = (text: string) => T

const DIGITS = /^\d+$/
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

function refuse(option: string, expected: string, text: string): UsageError {
  return new UsageError(`${option}: expected ${expected} but received ${JSON.stringify(text)}`)
}

/** A whole number in decimal digits, `least` to `most` (default: the largest safe integer). */
export function wholeNumber(option: string, least: number, most = Number.MAX_SAFE_INTEGER): Parser<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`
  return text => {
    const value = Number(text)
    if (!DIGITS.test(text) || value < least || value > most) throw refuse(option, `a whole number ${range}`, text)
    return value
  }
}

/** Bounds of a real number; `above` and `below` are not in the range themselves. */
export interface Bounds {
  least?: number
  above?: number
  most?: number
  below?: number
}

/** A finite decimal number such as 0.1 or 1e-4. */
export function realNumber(option: string, { least, above, most, below }: Bounds): Parser<number> {
  const limits = [
    least === undefined ? [] : [`of ${least} or more`],
    above === undefined ? [] : [`above ${above}`],
    most === undefined ? [] : [`up to ${most}`],
    below === undefined ? [] : [`below ${below}`],
  ].flat()
  return text => {
    const value = Number(text)
    const inside =
      value >= (least ?? Number.NEGATIVE_INFINITY) &&
      value > (above ?? Number.NEGATIVE_INFINITY) &&
      value <= (most ?? Number.MAX_VALUE) &&
      value < (below ?? Number.POSITIVE_INFINITY)
    if (!DECIMAL.test(text) || !inside) throw refuse(option, `a number ${limits.join(' and ')}`, text)
    return value
  }
}

/** One of a few names, exactly. `otherWords` lead to the name that is meant, in the error only. */
export function oneOf<const Name extends string>(
  kind: string,
  names: readonly Name[],
  otherWords: Readonly<Record<string, Name>> = {},
): Parser<Name> {
  return text => {
    const found = names.find(name => name === text)
    if (found === undefined) throw unknownName(kind, text, names, otherWords)
    return found
  }
}

/** Epochs in rising order, separated by commas: `200,300,350`; `none` for an empty list. */
export function epochList(option: string): Parser<number[]> {
  const expected = 'rising whole numbers of 1 or more separated by commas, such as 200,300,350, or none'
  return text => {
    if (text === 'none') return []
    const fields = text.split(',').map(field => field.trim())
    const epochs = fields.map(Number)
    const rising = epochs.every((epoch, i) => Number.isSafeInteger(epoch) && epoch > (epochs[i - 1] ?? 0))
    if (!rising || !fields.every(field => DIGITS.test(field))) throw refuse(option, expected, text)
    return epochs
  }
}

/** A path: any text but the empty one, and what looks like the next option. */
export function path(option: string): Parser<string> {
  return text => {
    if (text === '' || text.includes('\0')) throw refuse(option, 'a path', text)
    if (text.startsWith('--')) throw refuse(option, `a path (./${text} is one)`, text)
    return text
  }
}
