"""Where the rooms are put together: settings, the application and the `runcast` command."""
