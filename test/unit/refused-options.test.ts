/** Options that make no sense are refused where they are given, not at the first use. */
import { describe, expect, it } from 'vitest'
import { device, Generator, nn, optim, tensor, zeros } from '../../src/index.ts'

const nothing = null as never

describe('refused options', () => {
  it.each<[string, () => unknown, Error]>([
    [
      'a momentum',
      () => new nn.BatchNorm2d({ channels: 2, momentum: 5 }),
      new RangeError('BatchNorm2d: expected a momentum from 0 to 1 but received 5'),
    ],
    [
      'an epsilon',
      () => new nn.BatchNorm2d({ channels: 2, epsilon: -1 }),
      new RangeError('BatchNorm2d: expected a finite epsilon of 0 or more but received -1'),
    ],
    [
      'a rate in words',
      () => new nn.Dropout({ rate: '0.5' as never }),
      new RangeError('Dropout: expected a rate of 0 or more and below 1 but received a string'),
    ],
    [
      'none for dropout',
      () => new nn.Dropout(nothing),
      new TypeError('Dropout: expected an object of options but received null'),
    ],
    [
      'a learning rate in words',
      () => optim.sgd([], { lr: '1' as never }),
      new RangeError('sgd: expected a number of 0 or more for lr but received a string'),
    ],
    [
      'a GPU below 0',
      () => device.cuda(-1),
      new RangeError('cuda: expected the number of a GPU from 0 to 999 but received -1'),
    ],
    [
      'none for a tensor',
      () => tensor([1], [1], nothing),
      new TypeError('tensor: expected an object of options but received null'),
    ],
    [
      'none for zeros',
      () => zeros([1], nothing),
      new TypeError('tensor: expected an object of options but received null'),
    ],
    [
      'none for a generator',
      () => new Generator().loadState(nothing),
      new TypeError('random: expected an object of options but received null'),
    ],
    [
      'a seed in words',
      () => new Generator().loadState({ seed: '1' as never, offset: 0 }),
      new RangeError('random: expected a whole number from 0 to 2^53 - 1 for seed but received a string'),
    ],
    [
      'none for a loss scaler',
      () => optim.lossScaler({ device: 'cpu' }).loadState(nothing),
      new TypeError('lossScaler: expected an object of options but received null'),
    ],
  ])('%s', (_, act, error) => expect(act).toThrow(error))
})
