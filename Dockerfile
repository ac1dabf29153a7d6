# The program on the CPU: docker build -t colorizer . && docker run --rm -v "$PWD:/photos" colorizer --mode=predict --image_path=old.jpg
FROM python:3.12-slim
# Without CUDA's packages, which are most of torch from the registry.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu 'torch>=2.11' 'torchvision>=0.26'
COPY . /colorizer
RUN pip install --no-cache-dir '/colorizer[video,web]' && rm -rf /colorizer
WORKDIR /photos
ENTRYPOINT ["colorizer"]
CMD ["--help"]
