import sys

from model_server.command import main

sys.exit(main())
