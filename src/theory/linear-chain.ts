/**
 * A block as the linear steps that it is made of, without batch norm and ReLU: what its composite kernel and its pattern
 * are computed from. Checked in test/theory/composite-kernel.test.ts.
 */
import { UnsupportedError } from '../errors.ts'
import { Igcv2Block, PointwiseChain } from '../models/igcv2.ts'
import { Conv2d, ConvBlock, InterleavedGroupConv2d, type Module } from '../nn/index.ts'
import type { Pattern } from './sparse-pattern.ts'

/** A convolution, or Reorder(factor). */
export type LinearStep = ConvolutionStep | { kind: 'reorder'; factor: number }
/** A convolution of the chain. */
export type ConvolutionStep = { kind: 'convolution'; convolution: Conv2d }

/**
 * The steps of a layer in order: of a Conv2d or ConvBlock one convolution, of an IGC layer or block its two convolutions
 * with a Reorder behind each, of an IGCV2 block its convolutions with a Reorder between the pointwise ones.
 * @throws UnsupportedError for other layers
 */
export function linearChain(layer: Module): LinearStep[] {
  if (layer instanceof Conv2d) return [{ kind: 'convolution', convolution: layer as Conv2d }]
  if (layer instanceof ConvBlock) return linearChain(layer.conv)
  if (layer instanceof Igcv2Block) return [...linearChain(layer.spatial), ...linearChain(layer.pointwise)]
  if (layer instanceof PointwiseChain) {
    const { layers, groupChannels } = layer
    return layers.flatMap((pointwise, i) => {
      const steps = linearChain(pointwise)
      const { weight, groups } = (steps[0] as ConvolutionStep).convolution
      const factor = (weight.shape[3] * groups) / groupChannels
      return i === 0 ? steps : [{ kind: 'reorder', factor }, ...steps]
    })
  }
  if (layer instanceof InterleavedGroupConv2d) {
    const { primary, secondary, primaryPartitions, secondaryPartitions } = layer
    return [
      { kind: 'convolution', convolution: primary },
      { kind: 'reorder', factor: primaryPartitions },
      { kind: 'convolution', convolution: secondary },
      { kind: 'reorder', factor: secondaryPartitions },
    ]
  }
  throw new UnsupportedError(
    `linearChain: expected a convolution, an IGC layer or an IGCV2 block but received a ${layer?.constructor?.name}`,
  )
}

/** Which inputs the outputs of a layer see. @throws UnsupportedError for a layer that `linearChain` does not know */
export function patternOf(layer: Module): Pattern {
  return linearChain(layer).map(step => {
    if (step.kind === 'reorder') return step
    const { weight, groups } = step.convolution
    const [outChannels, , , perGroup] = weight.shape
    return { kind: 'convolution', inChannels: perGroup * groups, outChannels, groups }
  })
}
