/**
 * Fine-tunes a trained network on a folder of images: takes all layers of a checkpoint but the last, which gets as many
 * outputs as the folder has classes; trains the last one alone first, then all of them at a tenth of the learning rate.
 *
 *   node examples/fine-tune.mjs --images photos [--checkpoint runs/digits/best.safetensors] [--epochs 5] [--out tuned.safetensors]
 *
 * photos/train/<class>/* and photos/test/<class>/* are JPEG, PNG, WebP, … images. Decoding needs sharp: npm install sharp
 */
import { parseArgs } from 'node:util'
import { data, nn, optim, tidy, train } from 'igcnet'

const { values } = parseArgs({
  options: {
    images: { type: 'string' },
    checkpoint: { type: 'string', default: 'runs/digits/best.safetensors' },
    epochs: { type: 'string', default: '5' },
    out: { type: 'string', default: 'tuned.safetensors' },
  },
})
if (values.images === undefined)
  throw new TypeError('expected --images FOLDER, with train/<class>/ and test/<class>/ in it')
const epochs = Number(values.epochs)

const loader = split =>
  data.imageFolder({ root: values.images, split, batchSize: 32, augment: split === 'train', mirror: false })
const trainImages = loader('train')
const testImages = loader('test')
await Promise.all([trainImages.ready(), testImages.ready()])
console.log(`${trainImages.examples} images of ${trainImages.classes} classes: ${trainImages.classNames?.join(', ')}`)

// The network of the checkpoint, with another last layer: what has the same name and shape is taken over.
const { net: trained, config: trainedConfig } = await train.loadNetwork(values.checkpoint)
const config = train.withDefaults({
  ...trainedConfig,
  dataset: 'folder',
  dataDir: values.images,
  numClasses: trainImages.classes,
  classNames: trainImages.classNames,
})
const net = train.buildNetwork(config)
const stored = trained.state()
const isHead = name => name.startsWith('head.')
for (const [name, tensor] of Object.entries(net.state())) {
  if (!isHead(name)) tensor.assign(stored[name])
}
trained.dispose()

const parameters = net.namedParameters()
const head = parameters.filter(([name]) => isHead(name)).map(([, tensor]) => tensor)
const all = parameters.map(([, tensor]) => tensor)

for (const [what, tensors, lr, count] of [
  ['the last layer', head, 0.05, Math.ceil(epochs / 2)],
  ['all layers', all, 0.005, epochs - Math.ceil(epochs / 2)],
]) {
  // What needs no gradient costs no time in the backward direction.
  for (const tensor of all) tensor.requiresGrad = tensors.includes(tensor)
  const sgd = optim.sgd(tensors, { lr, momentum: 0.9, nesterov: true, weightDecay: 1e-4 })
  for (let epoch = 0; epoch < count; epoch++) {
    net.train()
    let loss = 0
    for await (const batch of trainImages) {
      loss = await tidy(() => {
        const batchLoss = nn.crossEntropy(net.forward(batch.images), batch.labels)
        batchLoss.backward()
        sgd.step()
        return batchLoss.item()
      })
    }
    const { top1 } = await train.evaluate(net, testImages)
    console.log(
      `${what}, epoch ${epoch + 1} of ${count}: loss ${loss.toFixed(3)}, ${top1.toFixed(1)} % of the test images`,
    )
  }
  sgd.dispose()
}

await train.saveNetwork(values.out, net, config)
console.log(`saved ${values.out}; npx igcnet evaluate --checkpoint ${values.out} reads it`)
await Promise.all([trainImages.close(), testImages.close()])
