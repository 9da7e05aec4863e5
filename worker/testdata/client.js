// A client of the Open Inference Protocol that shares no code with edgeplan: gRPC of
// Node.js and the public .proto. Usage: node client.js PROTO ADDRESS
const grpc = require('@grpc/grpc-js')
const loader = require('@grpc/proto-loader')

const { inference } = grpc.loadPackageDefinition(loader.loadSync(process.argv[2], { keepCase: true, longs: Number }))
const client = new inference.GRPCInferenceService(process.argv[3], grpc.credentials.createInsecure())

const call = (method, request) => new Promise((resolve, reject) =>
  client[method](request, (error, answer) => error ? reject(error) : resolve(answer)))

const request = (id, number) => ({
  model_name: 'toy', id,
  inputs: [{ name: 't0', datatype: 'UINT8', shape: [8] }, { name: 'skip', datatype: 'INT64', shape: [] }],
  raw_input_contents: [Buffer.from([number, 0, 0, 0, 0, 0, 0, 0]), Buffer.from([number, 0, 0, 0, 0, 0, 0, 0])],
})

// Requests of a stream, one of them wrong in the middle.
const stream = () => new Promise((resolve, reject) => {
  const answers = []
  const s = client.ModelStreamInfer()
  s.on('data', (a) => answers.push(a.error_message ? `${a.infer_response.id}: ${a.error_message}`
    : `${a.infer_response.id}: ${a.infer_response.raw_output_contents[0][0]}`))
  s.on('error', reject)
  s.on('end', () => resolve(answers))
  for (let i = 0; i < 6; i++) {
    const r = request(`s${i}`, i)
    if (i === 3) r.inputs[0].datatype = 'FP32'
    s.write(r)
  }
  s.end()
})

async function main () {
  console.log('live', (await call('ServerLive', {})).live)
  console.log('ready', (await call('ModelReady', { name: 'toy' })).ready)
  const about = await call('ModelMetadata', { name: 'toy' })
  console.log('inputs', about.inputs.map((i) => `${i.name} ${i.datatype} [${i.shape || ""}]`).join(', '))
  const answer = await call('ModelInfer', request('one', 5))
  console.log(answer.id, answer.outputs[0].name, Array.from(answer.raw_output_contents[0]).join(' '))
  for (const line of await stream()) console.log(line)
  await call('ModelInfer', { ...request('bad', 1), model_name: 'other' }).catch((e) => console.log('code', e.code, e.details))
}

main().then(() => client.close(), (e) => { console.error(e); process.exit(1) })
