/** Leaves, their gradients, and the memory of the device `cpu`, for tests of tensors and of the tape. */
import { device, type Tensor, tensor } from '../../src/index.ts'

export const bytesInUse = () => device.memory().bytesInUse
export const leaf = (...values: number[]) => tensor(values, [values.length], { requiresGrad: true })
export const gradient = (x: Tensor) => x.grad && Array.from(x.grad.dataSync())
