/** The forward pass of a network, batch after batch. Checked in test/train/recorded-inference.test.ts. */
import { types } from 'node:util'
import { noGrad } from '../autograd.ts'
import { DisposedError } from '../errors.ts'
import type { Network } from '../models/index.ts'
import type { Images } from '../ops/index.ts'
import { type ArrayOf, type DeviceName, type FloatDType, type Tensor, tensor } from '../tensor.ts'
import { inWords } from '../values.ts'
import type { Precision } from './config.ts'
import { inMode } from './mode.ts'
import { Repeated } from './repeated.ts'

/** How a network infers. */
export interface InferenceOptions {
  /** In which maps are stored: bf16 and f16 on CUDA only. Default: as the parameters are. */
  precision?: Precision | undefined
}

/**
 * Passes of a network over images that come from JavaScript, in a server, say. From the second one of a size on they are
 * recorded (`device.record`): JavaScript has a share of `net.forward` that is seen where an image is little work, and on a
 * GPU. Weights may be trained or loaded meanwhile, each pass sees those of its moment; the tensors must stay the same.
 * @param net on any device; its mode, training or inference, stays as it is
 * @example
 * using inference = train.inference(net)
 * const logits = await inference.logits(pixels, [1, 32, 32, 3])
 */
export function inference(net: Network, options: InferenceOptions = {}): Inference {
  return new Inference(net, options)
}

interface Batch {
  images: Float32Array
  size: readonly [number, number, number, number]
}

/** Made by `inference()`. */
export class Inference implements Disposable {
  readonly #net: Network
  readonly #repeated: Repeated<Batch, { images: Images }, { logits: Logits }, Promise<ArrayOf<FloatDType>>>
  #tensors: Tensor[] = []
  #disposed = false

  /** @internal */ constructor(net: Network, { precision }: InferenceOptions) {
    this.#net = net
    const device = deviceOf(net)
    const { dtype = 'f32' } = net.parameters()[0] ?? {}
    this.#repeated = new Repeated({
      device,
      put: ({ images, size }) => ({
        images: tensor(images, size, { device, dtype: precision ?? (dtype as FloatDType) }) as Images,
      }),
      run: ({ images }) => ({ logits: infer(net, images) }),
      read: ({ logits }) => logits.data(),
      record: dtype === 'f32', // elsewhere images are converted
    })
  }

  /**
   * Enqueues the pass of a batch; before it is done, the next one may be asked for.
   * @param images N*H*W*C values, which are copied at once
   * @param size [N, H, W, C]
   * @returns logits, N rows of one for each class
   * @throws DisposedError; TypeError for images that are no Float32Array; what `forward` throws for a size that does not fit
   */
  async logits(
    images: Float32Array,
    size: readonly [N: number, H: number, W: number, C: number],
  ): Promise<ArrayOf<FloatDType>> {
    if (this.#disposed) throw new DisposedError('inference: expected one that was not disposed of')
    if (!types.isFloat32Array(images)) {
      throw new TypeError(`inference: expected a Float32Array of images but received ${inWords(images)}`)
    }
    // Without weights the network itself says what is wrong.
    if (this.#tensors.some(({ disposed }) => disposed)) this.#repeated.dispose()
    if (!this.#repeated.recorded) this.#tensors = Object.values(this.#net.state())
    return this.#repeated.enqueue(size.join(), { images, size })
  }

  /** Whether the last pass was one that had been recorded. */
  get recorded(): boolean {
    return this.#repeated.recorded
  }

  /** Frees what was recorded; the network stays. Twice is allowed. */
  dispose(): void {
    this.#disposed = true
    this.#repeated.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

type Logits = Tensor<readonly [number, number], FloatDType>

/** Where a network is. */
export const deviceOf = (net: Network): DeviceName => net.parameters()[0]?.device ?? 'cpu'

/** The pass itself, in the active scope. */
export function infer(net: Network, images: Images): Logits {
  return noGrad(() => inMode(net, 'inference', () => net.forward(images)))
}
