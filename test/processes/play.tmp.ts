import { Federation, answerOf } from '/work/main/test/processes/federation.ts'
const t0 = Date.now()
await using f = await Federation.create({ currency: 'KRW' })
console.log('created', Date.now() - t0)
await f.startMembers()
console.log('started', Date.now() - t0)
const head='flow,period,hs6,transport,value\n'
await Promise.all(f.ids.map((id,i)=>f.load(id, head+`import,2020-0${i+1},851712,sea,${i}.25\n`, 'dataset: declarations\ncolumns: {flow: flow, period: period, hs6: hs6, transport: transport, value: value}\n')))
console.log('loaded', Date.now() - t0)
const q = f.ask('dataset: declarations\nby: [hs2]\nmeasures: [{count: records},{sum: value}]\npurpose: abc\n')
const r = await q.ended
console.log('answered', Date.now() - t0, r)
for (const p of ['coordinator', ...f.ids]) { const s=Date.now(); f.process(p).send('SIGTERM'); const e = await f.process(p).ended; console.log(p, e.status, e.signal, Date.now()-s, e.stderr) }
