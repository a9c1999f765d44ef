from wetter.training import main

if __name__ == "__main__":
    main()
