/** Which views a server mounts: the config's, the `urls` module's, or the built-in two. `serve` and `check` ask. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { apiView, isAuthenticated, obtainAuthToken } from 'latchkey'
import { path, type UrlPattern } from '../http/urls.js'
import { checkedUrlpatterns, loadUrlpatterns } from '../settings/config-file.js'
import type { Io } from './output.js'
import type { LoadedSettings } from './session.js'

/** The `urls` module that is taken when no setting names one. */
export function defaultUrls(cwd: string): string {
  return join(cwd, 'urls.ts')
}

/** @throws SettingsError when the module does not load or exports no `urlpatterns` */
export async function findUrlpatterns(
  io: Io,
  { values, config }: LoadedSettings,
): Promise<readonly UrlPattern[]> {
  if (config.urlpatterns !== undefined) return checkedUrlpatterns('latchkey.config', config.urlpatterns)
  const module = values.urls ?? [defaultUrls(io.cwd)].find((file) => existsSync(file))
  return module === undefined ? builtInUrlpatterns() : loadUrlpatterns(module)
}

/** Enough to try a token: get one, and be greeted with it. */
function builtInUrlpatterns(): readonly UrlPattern[] {
  const hello = apiView({
    name: 'Hello',
    permissions: [isAuthenticated],
    get: () => ({ message: 'Hello, World!' }),
  })
  return [path('/hello/', hello), path('/api-token-auth/', obtainAuthToken())]
}
