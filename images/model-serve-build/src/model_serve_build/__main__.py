import sys

from model_serve_build.command import main

sys.exit(main())
