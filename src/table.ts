/** Tables for files: Markdown and CSV. Checked in test/unit/table.test.ts. */

/** Rows under a head; all columns but the first are numbers, aligned to the right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  const rule = `|${head.map((_, i) => (i === 0 ? '---|' : '---:|')).join('')}\n`
  return [line(head), rule, ...rows.map(line)].join('')
}

/** Rows under a head, separated by commas; quoted where needed (RFC 4180, with single line feeds). */
export function csvTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number) => {
    const text = String(value)
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  return [head, ...rows].map(row => `${row.map(cell).join(',')}\n`).join('')
}

/** 149904 as 149,904, in every locale. */
export function withCommas(value: number): string {
  return value.toLocaleString('en-US')
}
