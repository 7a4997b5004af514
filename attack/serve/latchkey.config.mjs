/** The project that `latchkey serve` runs for the attack suite; the suite names its keys in the environment. */
import { defineConfig, path } from '@latchkey/server'
import { obtainAuthToken } from 'latchkey'
import { LOGIN_VIEWS, ROUTES, viewOf } from '../lib/routes.mjs'
import { settingsOf } from '../lib/world.mjs'

const { keys, algorithm } = JSON.parse(process.env.ATTACK_KEYS ?? '{}')

export default defineConfig({
  ...settingsOf(keys, algorithm),
  trustedProxies: ['127.0.0.1'],
  urlpatterns: [
    ...ROUTES.map((route) => path(route.path, viewOf(route), { formatSuffixes: true })),
    path('/internal/report/', viewOf(ROUTES.find((route) => route.path === '/internal/'))),
    path('/api-token-auth/', obtainAuthToken()),
    ...Object.entries(LOGIN_VIEWS).map(([route, view]) => path(route, view)),
  ],
})
