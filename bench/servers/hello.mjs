/** `GET /hello/` on one framework, with the guard or without it: nothing else differs between the two processes. */
import { createServer } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { createApp, path, serve } from '@latchkey/server'
import { sqlite } from '@latchkey/sql'
import expressFramework from 'express'
import { Hono } from 'hono'
import { allowAny, apiView, createLatchkey, isAuthenticated } from 'latchkey'
import { express } from 'latchkey/express'
import { hono } from 'latchkey/hono'
import { fromIncoming, writeResponse } from 'latchkey/node'
import { answerParent } from '../lib/server-child.mjs'
import { SERVER_SECRET, usernameAt } from '../lib/tokens-database.mjs'

const { framework, guarded, database } = JSON.parse(process.argv[2] ?? '{}')
const latchkey = createLatchkey({ store: sqlite(database), secret: SERVER_SECRET })

/** Both answers are equally long, because all names are. */
const greet = (user) => ({ message: `Hello, ${user.username}!` })
const SOMEBODY = { username: usernameAt(0) }

const FRAMEWORKS = {
  hono() {
    const app = new Hono()
    if (guarded) {
      app.get('/hello/', hono.guard(latchkey, isAuthenticated), (context) =>
        context.json(greet(context.var.user)),
      )
    } else {
      app.get('/hello/', (context) => context.json(greet(SOMEBODY)))
    }
    return listen(createAdaptorServer({ fetch: app.fetch }))
  },
  express() {
    const app = expressFramework()
    if (guarded) {
      app.get('/hello/', express.guard(latchkey, isAuthenticated), (request, response) => {
        response.json(greet(request.user))
      })
    } else {
      app.get('/hello/', (_request, response) => void response.json(greet(SOMEBODY)))
    }
    return listen(createServer(app))
  },
  node() {
    const answer = (response, user) => {
      const body = JSON.stringify(greet(user))
      response.writeHead(200, {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
      })
      response.end(body)
    }
    const gate = latchkey.gate([isAuthenticated])
    const admit = async (request, response) => {
      const { identity, refusal } = await gate(fromIncoming(request))
      if (refusal === null) answer(response, identity.user)
      else writeResponse(response, refusal, request.method)
    }
    return listen(createServer(guarded ? admit : (_request, response) => answer(response, SOMEBODY)))
  },
  /** The app that `latchkey serve` runs: the route is a view, the guard its policy. */
  async server() {
    const open = { authentication: [], permissions: [allowAny], get: () => greet(SOMEBODY) }
    const closed = { permissions: [isAuthenticated], get: ({ user }) => greet(user) }
    const app = createApp(latchkey, [path('hello/', apiView(guarded ? closed : open))])
    return (await serve({ app, host: '127.0.0.1', port: 0 })).url
  },
}

function listen(server) {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`))
  })
}

answerParent(await FRAMEWORKS[framework](), {
  cpu: () => {
    const { user, system } = process.cpuUsage()
    return { cpuUs: user + system }
  },
})
