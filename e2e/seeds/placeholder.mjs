// Stands in for jsonplaceholder.typicode.com, which the hands-on's parallel-poc asks for a user and the user's todos, where there is no Internet.
// The functions stay as they are; the machine has the name lead here and trusts the certificate:
//
//   openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=jsonplaceholder.typicode.com \
//     -addext subjectAltName=DNS:jsonplaceholder.typicode.com
//   echo 127.0.0.1 jsonplaceholder.typicode.com >> /etc/hosts
//   node e2e/seeds/placeholder.mjs key.pem cert.pem        (port 443)
//   NODE_EXTRA_CA_CERTS=$PWD/cert.pem newel serve
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'

const [key, cert] = process.argv.slice(2).map(f => readFileSync(f))
createServer({ key, cert }, (request, response) => {
  const [, id, todos] = request.url.match(/^\/users\/(\d+)(\/todos)?$/) ?? []
  response.setHeader('content-type', 'application/json; charset=utf-8')
  if (!id) {
    response.writeHead(404).end('{}')
    return
  }
  const user = Number(id)
  response.end(JSON.stringify(todos
    ? [1, 2].map(n => ({ userId: user, id: n, title: `to do ${n}`, completed: n > 1 }))
    : { id: user, name: `User ${user}`, username: `user${user}`, email: `user${user}@example.com` }))
}).listen(443, '127.0.0.1')
