# The program on the CPU; README.md says how to build and run it.
FROM python:3.12-slim
# Without CUDA's packages, which are most of torch from the registry.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu 'torch>=2.11' 'torchvision>=0.26'
COPY . /colorizer
RUN pip install --no-cache-dir '/colorizer[video,web]' && rm -rf /colorizer
WORKDIR /photos
ENTRYPOINT ["colorizer"]
CMD ["--help"]
