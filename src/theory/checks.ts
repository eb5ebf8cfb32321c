/** The checks of the numbers that the functions of the theory take. Checked with them, in test/theory. */

/** @throws RangeError unless every value is a whole number of 1 or more */
export function checkWhole(name: string, values: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(values)) {
    if (Number.isSafeInteger(value) && value >= 1) continue
    throw new RangeError(`${name}: expected a whole number of 1 or more for ${key} but received ${value}`)
  }
}

/** @throws RangeError unless every value is a finite number above 0, up to `most` */
export function checkNumber(name: string, values: Readonly<Record<string, number>>, most = Number.MAX_VALUE): void {
  const limit = most === Number.MAX_VALUE ? '' : ` and up to ${most}`
  for (const [key, value] of Object.entries(values)) {
    if (typeof value === 'number' && value > 0 && value <= most) continue
    throw new RangeError(`${name}: expected a finite number above 0${limit} for ${key} but received ${value}`)
  }
}
