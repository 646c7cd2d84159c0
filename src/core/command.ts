/** The command line's name in hints to people: in a clone only npx finds it, and where it is installed npx finds it too. */
export const COMMAND = 'npx assistant'
