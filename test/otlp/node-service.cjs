// A service as anyone writes one: it knows neither Weir nor OpenTelemetry. `GET /` asks the service at NEXT first.
const http = require('node:http')

const server = http.createServer((request, response) => {
  if (process.env.NEXT === undefined) {
    response.statusCode = request.url === '/broken' ? 503 : 200
    return setTimeout(() => response.end('done'), 20)
  }
  http.get(process.env.NEXT + request.url, (answer) => {
    response.writeHead(answer.statusCode)
    answer.pipe(response)
  })
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
