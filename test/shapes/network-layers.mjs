/**
 * The distinct layers of the papers' CIFAR networks, at their original image sizes and batch 2, for generate.mjs:
 * regular convolutions and projections for conv2d.json, interleaved group convolutions for igc-block.json. The two
 * convolutions of each block stand in conv2d.json too.
 */

const STAGES = [0, 1, 2]

/** The sizes of one stage's layer: stages 1 and 2 begin with stride 2 and twice the channels. */
function stage(s, width, first) {
  const widens = first && s > 0
  const size = 32 >> (widens ? s - 1 : s)
  const K = width << s
  return { size, C: widens ? K / 2 : K, K, stride: widens ? 2 : 1 }
}

/** [{ name, why, N, H, W, C, K, R, S, stride, padding, L, M }]: every distinct block of the IGC networks. */
export function networkBlocks() {
  const blocks = []
  for (const [L, M] of [
    [24, 2],
    [4, 8],
  ]) {
    for (const s of STAGES) {
      for (const first of s > 0 ? [true, false] : [false]) {
        const { size, C, K, stride } = stage(s, L * M, first)
        const sizes = { N: 2, H: size, W: size, C, K, R: 3, S: 3, stride, padding: 1, L }
        const name = `l${L}m${M}-stage-${s}${first ? '-first' : ''}`
        blocks.push({ name, why: 'plain_igc and resnet_igc', ...sizes, M: K / L })
        if (first)
          blocks.push({ name: `${name}-quirk`, why: "resnet_igc as the authors' script has it", ...sizes, M: C / L })
      }
    }
  }
  return blocks
}

/** The stems, the regular layers of `plain` and `resnet` of width 16, the projections, and both halves of each block. */
export function layerConvolutions() {
  const shapes = []
  const add = (name, why, size, C, K, R, stride, groups) => {
    const sizes = { N: 2, H: size, W: size, C, K, R, S: R, stride, padding: R >> 1, groups }
    shapes.push({ name, why, ...sizes })
  }
  for (const width of [16, 32, 48]) add(`stem-${width}`, 'stem', 32, 3, width, 3, 1, 1)
  for (const s of STAGES) {
    for (const first of s > 0 ? [true, false] : [false]) {
      const { size, C, K, stride } = stage(s, 16, first)
      add(`w16-stage-${s}${first ? '-first' : ''}`, 'plain and resnet', size, C, K, 3, stride, 1)
      if (first) add(`w16-stage-${s}-shortcut`, 'resnet', size, C, K, 1, 2, 1)
    }
  }
  for (const block of networkBlocks()) {
    const size = block.H / block.stride
    const quirk = block.name.endsWith('-quirk')
    if (!quirk) add(`${block.name}-primary`, block.why, block.H, block.C, block.K, 3, block.stride, block.L)
    add(`${block.name}-secondary`, block.why, size, block.K, block.K, 1, 1, block.M)
    if (block.stride === 2 && !quirk) {
      add(`${block.name}-shortcut`, 'resnet_igc', block.H, block.C, block.K, 1, 2, block.L)
    }
  }
  return shapes
}
