/**
 * Bolt with next to nothing behind it: acknowledges the command /task. argv: API address, bot token, app token, and a file: then the
 * command's text is a row in it, on disk, before it is acknowledged.
 */
import { DatabaseSync } from 'node:sqlite'
import bolt from '@slack/bolt'

const [slackApiUrl = '', token = '', appToken = '', file = ''] = process.argv.slice(2)
const store = file === '' ? undefined : keepIn(file)
const app = new bolt.App({
  token,
  appToken,
  socketMode: true,
  clientOptions: { slackApiUrl },
  logLevel: bolt.LogLevel.ERROR,
})
app.command('/task', async ({ ack, command }) => {
  store?.(command.text)
  await ack()
})
await app.start()

function keepIn(path: string): (text: string) => void {
  const db = new DatabaseSync(path)
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE request (id INTEGER PRIMARY KEY, text TEXT)',
  )
  const insert = db.prepare('INSERT INTO request (text) VALUES (?)')
  return (text) => void insert.run(text)
}
