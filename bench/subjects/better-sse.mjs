import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { createChannel, createSession } from 'better-sse'

/** The `better-sse` package on Node: a session per subscriber of one channel. Answers what the bare stream does. */

const channel = createChannel()
let sent = 0
let timer

const server = createServer((request, response) => void subscribe(request, response))
server.keepAliveTimeout = 0
server.listen({ port: 0, host: '127.0.0.1', backlog: 1_000 }, () => {
  console.log(`listening on ${server.address().port}`)
})

createInterface({ input: process.stdin }).on('line', (line) => {
  const ask = JSON.parse(line)
  clearInterval(timer)
  if (ask.do === 'send') {
    timer = setInterval(() => {
      const number = ++sent
      channel.broadcast({
        number,
        text: '~'.padEnd(ask.bytes - JSON.stringify({ number, text: '' }).length, 'x'),
      })
    }, 1000 / ask.perSecond)
  }
  console.log(JSON.stringify({ sent }))
})

async function subscribe(request, response) {
  channel.register(await createSession(request, response))
}
